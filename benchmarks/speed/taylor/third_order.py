"""CPU time of all coefficients up to the third order of an event, on one thread: closed form beside nested tapes."""

from dataclasses import dataclass
from statistics import median

from benchmarks.speed.taylor.one_thread import use_one_cpu_thread
from benchmarks.speed.taylor.timing import cpu_us_in_turn


@dataclass(frozen=True)
class Config:
    """Sizes of the network and of the measurement."""

    n_inputs: int = 30
    units: int = 100
    n_events: int = 512
    repetitions: int = 5
    seconds: float = 0.3


def run(config: Config) -> dict[str, list[float]]:
    """CPU time of an event in microseconds, by engine, in each repetition."""
    from benchmarks.speed.taylor.networks import events, tanh_network
    from benchmarks.speed.taylor.ours import summation

    network, x = tanh_network(config.n_inputs, config.units), events(config.n_events, config.n_inputs)
    jobs = {engine: summation(network, x, engine, order=3) for engine in ("closed_form", "autodiff")}
    return cpu_us_in_turn(jobs, repetitions=config.repetitions, seconds=config.seconds)


def main() -> None:
    """Measures and prints."""
    use_one_cpu_thread()
    config = Config()
    times = run(config)
    print(f"\n{config.n_inputs}-{config.units}-1 tanh to the third order: CPU us/event, median (min to max)")
    for engine, values in times.items():
        print(f"{engine:<15} {median(values):10.1f} ({min(values):.1f} to {max(values):.1f})")
    print(f"autodiff / closed_form: {median(times['autodiff']) / median(times['closed_form']):.0f}")


if __name__ == "__main__":
    main()
