"""Programs on two devices, as TensorFlow has two CPUs from its start, and on two workers, each a process of its own.

python -m tests.devices tests.neos_tf.two_devices
"""

import json
import random
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any, TextIO

import tensorflow as tf


def printed_on_two_devices(module: str, *arguments: str) -> Any:
    """What a module prints as JSON, as a program, in its last line."""
    command = [sys.executable, "-m", "tests.devices", module, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def run_two_workers(program: str, *arguments: list[str]) -> tuple[list[int], list[str]]:
    """Exit codes and outputs of a program run twice; a first one that waits for the second is ended after a minute.

    Args:
        program: the code, whose last arguments are host:port of both.
        arguments: what comes before, of each.
    """
    workers = [f"localhost:{port}" for port in free_ports(2)]
    processes: list[subprocess.Popen] = []
    # Files, as a pipe that nobody reads would stop who writes much.
    files = [tempfile.TemporaryFile("w+") for _ in arguments]  # noqa: SIM115  # closed when they are read
    try:
        for own, file in zip(arguments, files, strict=True):
            command = [sys.executable, "-c", program, *own, *workers]
            processes.append(subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, text=True))
        processes[1].wait(240)
        with suppress(subprocess.TimeoutExpired):
            processes[0].wait(60)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        outputs = [_read(file) for file in files]
    return [process.returncode for process in processes], outputs


def free_ports(n: int) -> list[int]:
    """Ports of this machine that nobody listens at, and that no connection is given until somebody does."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")  # to connections that do not ask for one
    first = int(given.read_text().split()[0]) if given.exists() else 32768
    with ExitStack() as stack:  # closed together: they are different ones
        ports: list[int] = []
        for port in random.SystemRandom().sample(range(10_000, max(first, 11_000)), 100):
            with suppress(OSError):
                stack.enter_context(socket.socket()).bind(("", port))
                ports.append(port)
            if len(ports) == n:
                return ports
    raise OSError(f"Expected {n} free ports among 100. Found: {ports}")


def _read(file: TextIO) -> str:
    with file:
        file.seek(0)
        return file.read()


def one_and_two() -> Iterator:
    """Strategies of one device and of two. One a program: a second of the same devices takes the first's messages."""
    yield tf.distribute.get_strategy()
    yield tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def scope(strategy: tf.distribute.Strategy) -> Any:
    """None for that of one device, as a user's program has none."""
    return strategy.scope() if strategy.num_replicas_in_sync > 1 else nullcontext()


if __name__ == "__main__":
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
