"""``python -m recsim.chat``: a person plays the user."""

import sys

from recsim.chat.conversations import main

if __name__ == "__main__":
    sys.exit(main())
