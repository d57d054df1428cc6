"""The paper's recipe trained on split ``860``."""

from paper_runs import run_split

if __name__ == "__main__":
    run_split("860")
