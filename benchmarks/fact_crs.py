"""How long a forest takes to grow and its conversations to hold.

    python benchmarks/fact_crs.py DATA [--trees 10] [--threads 2]

DATA is a folder in the layout of LastFM. Aims on LastFM with two cores: less than 60 s to grow 10
trees, less than 20 s for all test conversations.
"""

import argparse
import os
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data")
parser.add_argument("--trees", type=int, default=10)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--split", default="test")
GIVEN = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = str(GIVEN.threads)

import gymnasium

import agents
from recsim.conversation import read_attributes
from recsim.play.conversations import conversation_metrics, play_conversations


def main() -> None:
    data = read_attributes(GIVEN.data)
    env = gymnasium.make_vec("recsim:ConvRec-v0", num_envs=1024, data=data, split=GIVEN.split)
    agent = agents.make("fact_crs", env.unwrapped.problem, seed=0, trees=GIVEN.trees)
    begin = time.perf_counter()
    agent.fit(env.unwrapped.training_data)
    grown = time.perf_counter()
    table = play_conversations(env, agent, seed=0)
    held = time.perf_counter()
    numbers = conversation_metrics(table, env.unwrapped.problem.max_turns)
    print(f"{GIVEN.trees} trees of {len(data.rows('train'))} interactions: {grown - begin:.1f} s")
    print(f"{len(table)} conversations: {held - grown:.1f} s")
    print(f"success {numbers['success_rate']:.4f}, average turns {numbers['average_turns']:.2f}")
    for what, seconds, aim in (("trees", grown - begin, 60), ("conversations", held - grown, 20)):
        print(f"aim: {what} in less than {aim} s: {'reached' if seconds < aim else 'missed'}")


if __name__ == "__main__":
    main()
