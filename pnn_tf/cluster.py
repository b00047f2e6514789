"""Processes to compute in, by Dask: a local cluster, or any whose scheduler has an address."""

import asyncio
import importlib.metadata
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

TIMEOUT = 10  # seconds in which a scheduler has to answer, and to have a worker
ALLOWED_DEATHS = 10  # of workers that had a task, before it is taken for their cause
PRE_SPAWN = "distributed.nanny.pre-spawn-environ"
SAME = ("keras-hep", "tensorflow", "keras", "numpy")  # distributions whose versions the workers must share


@contextmanager
def dask_client(workers: "int | str | Any | None" = None, *, threads: int | None = None) -> Iterator[Any]:
    """A `distributed.Client` of a cluster, which computes in each worker one task at a time.

    What is started here ends with the context; a cluster that is reached by its address, or by a client, goes on.

    Args:
        workers: number of processes on this machine, by default one a core; or the address of a scheduler, such as
            "tcp://host:8786"; or a `distributed.Client`, as dask-jobqueue and coffea users have one.
        threads: of TensorFlow and NumPy in each process on this machine; by default an equal part of the cores. 0 for
            as many as they would start alone.

    Raises:
        ValueError: a number of workers below 1.
        ConnectionError: no scheduler answers at the address in 10 seconds, or it has no workers.
        RuntimeError: a worker without this distribution, or with another version of it, TensorFlow, Keras or NumPy.
        ImportError: without distributed.
    """
    distributed = _distributed()
    if isinstance(workers, distributed.Client):
        _require_workers(workers, "The client given as workers")
        yield workers
    elif isinstance(workers, str):
        with _connected(workers) as client:
            yield client
    else:
        import dask

        n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        n_workers = n_cores if workers is None else workers
        if not isinstance(n_workers, int) or isinstance(n_workers, bool) or n_workers < 1:
            raise ValueError(
                f"Expected workers as a number of processes, at least 1, or an address. Received: {workers!r}"
            )
        environment = _limited(max(n_cores // n_workers, 1) if threads is None else threads)
        with (
            _quiet(),
            # For NumPy, which is imported as a process starts; Dask would give it one thread.
            dask.config.set({PRE_SPAWN: dask.config.get(PRE_SPAWN) | environment}),
            distributed.LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
                env={name: value for name, value in environment.items() if value},
                memory_limit=None,
                # Its pages of HTTP cannot be left out: at a free port, and not for other machines.
                scheduler_kwargs={"allowed_failures": ALLOWED_DEATHS, "dashboard_address": "127.0.0.1:0"},
            ) as local,
            distributed.Client(local) as client,
        ):
            yield client


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
        _require_workers(client, f"The scheduler at {address}")
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


def _require_workers(client: Any, who: str) -> None:
    """There are workers, and they compute with the same code."""
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
    except TimeoutError as error:
        raise ConnectionError(f"{who} has no worker after {TIMEOUT} s. Start some: `dask worker ADDRESS`.") from error
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
    """The environment of a process with so many threads; None for a variable that is not set."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    names += ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict.fromkeys(names, str(threads) if threads else None)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ImportError("Tasks in other processes need Dask: pip install keras-hep[dask].") from error
    return distributed
