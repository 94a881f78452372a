import pytest

from recsim.runs import work


@pytest.fixture
def interrupt_after(monkeypatch):
    """Return a function that runs something and interrupts it after some finished trials."""

    def interrupt(trials, run):
        run_trial, done = work.run_trial, []

        def interrupted(folder, trial):
            if len(done) == trials:
                raise KeyboardInterrupt
            done.append(trial)
            run_trial(folder, trial)

        with monkeypatch.context() as patch:
            patch.setattr(work, "run_trial", interrupted)
            with pytest.raises(KeyboardInterrupt):
                run()

    return interrupt
