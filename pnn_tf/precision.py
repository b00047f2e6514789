"""What a network computes in float32 whatever its precision: how theta enters, features brought to scale, the output.

bfloat16 and float16 keep 8 and 11 binary digits: little is left of a theta of 1.003 whose nominal value is 1, or of a
feature of 100 000 MeV, and an output in [0, 1] has some hundred values.
"""

import keras

LOW = ("float16", "bfloat16")


def at_least_float32(policy: str | dict | keras.DTypePolicy | None = None) -> keras.DTypePolicy:
    """The dtype policy of a layer that is not to compute in less than float32.

    Args:
        policy: what its `dtype` would be; None for Keras' global policy.

    Returns:
        float32 in place of a policy that computes in float16 or bfloat16, mixed or not; any other as it is.
    """
    found: keras.DTypePolicy = keras.dtype_policies.get(policy)
    return keras.DTypePolicy("float32") if found.compute_dtype in LOW else found
