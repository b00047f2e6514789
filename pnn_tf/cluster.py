"""Processes to compute in, by Dask: a local cluster, or any whose scheduler has an address; and tasks for them."""

import asyncio
import importlib.metadata
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

from pnn_tf.fingerprint import fingerprint

TIMEOUT = 10  # seconds in which a scheduler has to answer
ALLOWED_DEATHS = 10  # of workers that had a task, before it is taken for their cause
PROFILE = "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"
PRE_SPAWN = "distributed.nanny.pre-spawn-environ"
# Dask has processes give back at once what they free: the kernel then clears each large array that they ask for, and
# templates take 1.4 times as long.
TRIM = "MALLOC_TRIM_THRESHOLD_"
AT_WORK = Lock()  # workers that others have started may have several threads, and networks are shared in a process
SAME = ("keras-hep", "tensorflow", "keras", "numpy")  # distributions whose versions the workers must share


@contextmanager
def dask_client(workers: "int | str | Any | None" = None, *, threads: int | None = None) -> Iterator[Any]:
    """A `distributed.Client` of a cluster. What is started here ends with the context; other clusters go on.

    Args:
        workers: number of processes on this machine, by default one a core; or the address of a scheduler, such as
            "tcp://host:8786"; or a `distributed.Client` or a cluster, as dask-jobqueue and coffea users have one.
        threads: of TensorFlow and NumPy in each process on this machine; by default an equal part of the cores. 0 for
            as many as they would start alone.

    Warns:
        UserWarning: there are no workers yet, such as in a queue; tasks wait for them.

    Raises:
        ValueError: a number of workers below 1.
        ConnectionError: no scheduler answers at the address in 10 seconds.
        RuntimeError: a worker without this distribution, or with another version of it, TensorFlow, Keras or NumPy.
        ImportError: without distributed.
    """
    distributed = _distributed()
    if isinstance(workers, distributed.Client):
        _require_same_versions(workers)
        yield workers
    elif hasattr(workers, "scheduler_address"):
        with distributed.Client(workers) as client:
            _require_same_versions(client)
            yield client
    elif isinstance(workers, str):
        with _connected(workers) as client:
            yield client
    else:
        import dask

        n_workers = n_cores() if workers is None else workers
        if not isinstance(n_workers, int) or isinstance(n_workers, bool) or n_workers < 1:
            raise ValueError(
                "Expected workers as a number of processes, at least 1, the address of a scheduler, a client or a "
                f"cluster of Dask. Received: {workers!r}"
            )
        environment = _limited(max(n_cores() // n_workers, 1) if threads is None else threads)
        with (
            _quiet(),
            _kept(environment),
            # For NumPy, which is imported as a process starts; Dask would give it one thread.
            dask.config.set({PRE_SPAWN: dask.config.get(PRE_SPAWN) | environment}),
            distributed.LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
                # A profile that no page shows costs 5 % where all cores compute.
                env={PROFILE: "False"} | {name: value for name, value in environment.items() if value},
                memory_limit=None,
                # Its pages of HTTP cannot be left out: at a free port, and not for other machines.
                scheduler_kwargs={"allowed_failures": ALLOWED_DEATHS, "dashboard_address": "127.0.0.1:0"},
            ) as local,
            distributed.Client(local) as client,
        ):
            yield client


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _kept(names: Iterable[str]) -> Iterator[None]:
    """Gives variables of the environment their values back, which Dask changes in this process for those it starts."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Dask says of workers that come and go, which a logger of the caller's would print."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _connected(address: str) -> Any:
    distributed = _distributed()
    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook's own thread has a loop already
            pool.submit(asyncio.run, _try_to_connect(address)).result()
        client = distributed.Client(address, timeout=TIMEOUT)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConnectionError(
            f"No Dask scheduler answers at {address} within {TIMEOUT} s: {error!r}. Is it "
            "running (`dask scheduler`), and can this machine reach that port?"
        ) from error
    try:
        _require_same_versions(client)
    except BaseException:
        client.close()
        raise
    return client


async def _try_to_connect(address: str) -> None:
    """A client waits without an end for what listens, but is no scheduler."""
    distributed = _distributed()
    options = distributed.Security().get_connection_args("client")
    connection = await asyncio.wait_for(distributed.comm.connect(address, timeout=TIMEOUT, **options), TIMEOUT)
    connection.abort()


def results_of(
    client: Any, function: Callable, tasks: Sequence[tuple], names: Sequence[str], imported: Any = None
) -> Iterator[tuple[int, Any]]:
    """The number of each task and `function(*task)`, as they come; a process does one at a time.

    A task whose worker ends, or is killed, is done by another. If one fails, or the caller stops, the others are given
    up. Errors call a task by its name. `imported` is what workers import, and must find as it is here: by default
    the function.

    Raises:
        RuntimeError: a worker of another version, or with another code of what is imported; a task during which several
            workers ended.
        ConnectionError: the scheduler has ended.
        Exception: that of a task, with a note that says which.
    """
    import cloudpickle
    from distributed import CancelledError, KilledWorker, as_completed

    def run(versions, digest, content):  # local and of bytes: a scheduler without this package passes it on
        import importlib.metadata
        import pickle

        for name, expected in versions.items():
            try:
                there = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                there = "none"
            if there != expected:
                raise RuntimeError(f"Expected a worker with {name} {expected}, as here. Received: {there}.")
        from pnn_tf.cluster import AT_WORK
        from pnn_tf.fingerprint import fingerprint

        with AT_WORK:
            function, task, imported = pickle.loads(content)
            if fingerprint(imported) != digest:
                raise RuntimeError(
                    f"Expected a worker where {imported} has the code, and its module the numbers, that it has here. "
                    "Received: others. Restart workers after an edit, and give a function what changes by "
                    "functools.partial."
                )
            return function(*task)

    imported = function if imported is None else imported
    contents = (cloudpickle.dumps((function, task, imported)) for task in tasks)
    sent = own_versions(), fingerprint(imported)
    futures = {client.submit(run, *sent, content, pure=False): i for i, content in enumerate(contents)}
    try:
        for future in as_completed(futures):
            number = futures.pop(future)
            try:
                result = future.result()
            except KilledWorker as error:
                raise RuntimeError(
                    f"{error.allowed_failures + 1} workers ended one after another during {names[number]}. Do "
                    "they have the memory for it?"
                ) from error
            except CancelledError as error:
                raise ConnectionError(
                    f"The scheduler has ended, or has given up {names[number]}. Start again."
                ) from error
            except Exception as error:
                error.add_note(f"In {names[number]}.")
                raise
            yield number, result
    finally:
        client.cancel(list(futures))


def _require_same_versions(client: Any) -> None:
    """Refuses workers of other versions that are there; those that come later are asked with each task."""
    if not client.scheduler_info()["workers"]:
        warnings.warn(
            f"The cluster at {client.scheduler.address} has no workers yet. Tasks wait until there are some: `dask "
            "worker ADDRESS --nthreads 1`, or a queue that starts them.",
            UserWarning,
            stacklevel=5,
        )
        return
    for name, own in own_versions().items():
        # A function of the standard library, which workers without this package have as well.
        for worker, version in client.run(importlib.metadata.version, name, on_error="return").items():
            if isinstance(version, OSError):  # the worker has gone; another one is on its way
                continue
            if isinstance(version, Exception):
                version = f"none ({version})"
            if version != own:
                raise RuntimeError(
                    f"Expected workers with {name} {own}, as here. Received: {version} at {worker}. Install the same "
                    "version there, since another one may give other numbers."
                )


def own_versions() -> dict[str, str]:
    """Of the distributions in SAME, in this process."""
    return {name: importlib.metadata.version(name) for name in SAME}


def _limited(threads: int) -> dict[str, str | None]:
    """What differs in the environment of a process with so many threads; None for a variable that is not set."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    names += ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict.fromkeys(names, str(threads) if threads else None) | {TRIM: os.environ.get(TRIM)}


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ImportError("Tasks in other processes need Dask: pip install keras-hep[dask].") from error
    return distributed
