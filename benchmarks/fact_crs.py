"""Time to grow a forest and to run its conversations.

    python benchmarks/fact_crs.py DATA [--trees 10] [--threads 2]

DATA is a folder in the layout of LastFM. Targets on LastFM with two cores: less than 60 s to grow
10 trees, less than 20 s for all test conversations.
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
    fitted = time.perf_counter()
    table = play_conversations(env, agent, seed=0)
    end = time.perf_counter()
    metrics = conversation_metrics(table, env.unwrapped.problem.max_turns)
    print(f"{GIVEN.trees} trees on {len(data.rows('train'))} interactions: {fitted - begin:.1f} s")
    print(f"{len(table)} conversations: {end - fitted:.1f} s")
    print(f"success {metrics['success_rate']:.4f}, average turns {metrics['average_turns']:.2f}")
    for task, seconds, limit in (
        ("trees", fitted - begin, 60),
        ("conversations", end - fitted, 20),
    ):
        result = "reached" if seconds < limit else "not reached"
        print(f"target: {task} in less than {limit} s: {result}")


if __name__ == "__main__":
    main()
