"""Split ``91-172`` with the reproduction's longer training: 600 epochs at 2e-4."""

from paper_runs import run_split

if __name__ == "__main__":
    run_split("91-172", name="91-172_long", epochs=600, learning_rate=2e-4)
