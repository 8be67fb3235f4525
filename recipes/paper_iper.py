"""iPER from its published folder to the rows of the paper's Table 1.

    python recipes/paper_iper.py IPER/ -o runs/iper --vgg VGG19 --detectors WEIGHTS/
    python recipes/paper_iper.py IPER/ -o runs/iper --rehearse

IPER holds ``train.txt`` (164 clips), ``val.txt`` (42) and the videos or frames that they name
(docs/clips.md). All else is as in ``recipes/paper_fashion.py``; the split ``val`` is scored.
"""

import sys

from paper_fashion import Experiment, main

IPER = Experiment("iPER", "val", "table 1 iper")

if __name__ == "__main__":
    sys.exit(main(IPER))
