"""``python -m bdmm``: the command line, also where its script isn't on the path."""

import sys

from bdmm.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
