"""`make bench`: measure, print, and say against which bar. These machines differ: compare within one run only."""

from __future__ import annotations

from benchmarks import engine, first_frame


def main() -> None:
    print(f"{'what':<42} {'measured':<48} bar")
    for module in (first_frame, engine):
        for what, measured, bar in module.run():
            print(f"{what:<42} {measured:<48} {bar}", flush=True)


if __name__ == "__main__":
    main()
