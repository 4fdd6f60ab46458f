"""``python -m mesabox``."""

from mesabox.app import run

if __name__ == "__main__":
    run()
