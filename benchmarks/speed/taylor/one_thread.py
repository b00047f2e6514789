"""One CPU thread for TensorFlow, PyTorch and JAX together in one process."""

import os
import sys
from importlib.util import find_spec


def use_one_cpu_thread() -> None:
    """Leaves one CPU thread and no GPU to TensorFlow, and to PyTorch and JAX where they are installed.

    All three live together in one process if this comes first: see `load_triton`. NumPy obeys OMP_NUM_THREADS=1 in
    the environment that the process starts with.

    Raises:
        RuntimeError: TensorFlow was imported before, or has computed something.
    """
    load_triton()
    os.environ["NPROC"] = "1"  # size of XLA's thread pools; the flag alone leaves JAX two threads on two cores
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
    if find_spec("jax"):
        import jax

        jax.config.update("jax_platforms", "cpu")


def load_triton() -> None:
    """Imports Triton, which torch.func and torch.compile do anyway, while it can be: after TensorFlow it crashes."""
    if "triton" in sys.modules or not find_spec("triton"):
        return
    if "tensorflow" in sys.modules:
        raise RuntimeError(
            "Expected Triton, which torch.func imports, before TensorFlow: the other way round the process crashes. "
            "Call use_one_cpu_thread() before the first import of TensorFlow."
        )
    import triton  # noqa: F401
