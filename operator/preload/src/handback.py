"""Take back from a worker what it has not started, by asking the worker itself.

What the scheduler believes to be executing is as old as the last heartbeat; acting on it starts tasks twice.
The question is the one of work stealing: the worker lets go of a task that it has not started, and says so.
"""

PREFIX = "dask-operator-"

# The worker answers with the state in which it found the task: here it has let go of it, or never had it,
LET_GO = "ready", "constrained", "waiting", "released", None
# and here it will report the task's end by itself. In any other state it is asked again.
EXECUTES = "executing", "long-running"

# Each answer costs the scheduler a fraction of a millisecond; this many are asked for between two looks.
AT_ONCE = 1000

# The run of each task that was asked for and may still be executing, by its key and the worker's address.
asked = {}


def hand_back(scheduler, state):
    """Ask a paused worker for the tasks that it has not started."""
    listen(scheduler)
    stealing = scheduler.extensions.get("stealing")
    count = 0
    for task in state.processing:
        # What Dask is stealing at this moment is asked for later, if it is still there.
        if (stealing and task in stealing.in_flight) or asked.get((task.key, state.address)) == task.run_id:
            continue
        asked[task.key, state.address] = task.run_id
        question = {"op": "steal-request", "key": task.key, "stimulus_id": PREFIX + str(task.run_id)}
        scheduler.stream_comms[state.address].send(question)
        count += 1
        if count == AT_ONCE:
            break


def listen(scheduler):
    """Take the answers that are ours; pass on those that work stealing asked for."""
    others = scheduler.stream_handlers.get("steal-response")

    def take(**answer):
        if answer["stimulus_id"].startswith(PREFIX):
            taken(scheduler, answer["key"], answer["worker"], answer["state"], answer["stimulus_id"])
        elif others:
            others(**answer)

    if getattr(others, "ours", None) is None:
        take.ours = True
        scheduler.stream_handlers["steal-response"] = take


def taken(scheduler, key, address, state, stimulus_id):
    """Give the task to another worker if this one has let go of it."""
    if state not in EXECUTES:
        asked.pop((key, address), None)
    task = scheduler.tasks.get(key)
    # The answer may be late: the task may have ended and be running again.
    if state in LET_GO and task and PREFIX + str(task.run_id) == stimulus_id:
        scheduler._reschedule(key, address, stimulus_id=stimulus_id)


def forget_asked(addresses):
    """Forget what these workers were asked for."""
    for key in [key for key in asked if key[1] in addresses]:
        del asked[key]
