"""Watch a running graph on the dashboard in a headless browser: save a screenshot and check the worker count.

    python dashboard.py http://127.0.0.1:8787 tcp://127.0.0.1:8786 2 dashboard.png

Needs Debian's packages chromium and chromium-driver.
"""

import argparse
import random
import tempfile
import time
from contextlib import contextmanager

from dask import delayed
from dask.distributed import Client, Event
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from session import report

TASKS = 160
DRAWN = "the picture is taken"

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
]

# Bokeh draws into shadow roots, so the page's own model is asked instead of its elements.
TASKS_DRAWN = """
const keys = new Set(arguments[0])
return (window.Bokeh?.documents ?? []).flatMap(page => [...page._all_models.values()])
    .filter(model => model.type == "ColumnDataSource" && model.data.key && model.data.worker_thread)
    .reduce((count, source) => count + [...source.data.key].filter(key => keys.has(key)).length, 0)
"""


@contextmanager
def browser():
    """Yield a browser with a fresh profile that is deleted afterwards."""
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
        try:
            yield driver
        finally:
            driver.quit()


def simulate(seed):
    """Keep a thread busy for a part of a second."""
    time.sleep(random.Random(seed).uniform(0.05, 0.3))
    return seed


def combine(*values):
    time.sleep(0.1)
    return sum(values)


def total(sums):
    """End when the picture is taken."""
    Event(DRAWN).wait(timeout=120)
    return sum(sums)


def graph():
    """Many small tasks in three layers, so that the progress bars and the task stream have colours."""
    values = [delayed(simulate)(seed) for seed in range(TASKS)]
    sums = [delayed(combine)(*values[start : start + 4]) for start in range(0, TASKS, 4)]
    return delayed(total)(sums)


def watch(driver, keys, screenshot):
    """Save a picture of the status page when it has drawn a good part of the graph; return how many tasks."""
    deadline = time.monotonic() + 30
    while (drawn := driver.execute_script(TASKS_DRAWN, keys)) < TASKS / 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    driver.save_screenshot(screenshot)
    return drawn


def listed_workers(driver, address):
    """Return how many workers the page of all workers lists."""
    driver.get(f"{address}/info/main/workers.html")
    return len(driver.find_elements(By.CSS_SELECTOR, "td a[href^='../worker/']"))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dashboard", help="address of the dashboard, such as http://127.0.0.1:8787")
    parser.add_argument("scheduler", help="address of the scheduler, such as tcp://127.0.0.1:8786")
    parser.add_argument("workers", type=int, help="how many workers the page must show")
    parser.add_argument("screenshot", help="the PNG file to write")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    with Client(arguments.scheduler) as client, browser() as driver:
        driver.get(f"{arguments.dashboard}/status")
        tasks = graph()
        future = client.compute(tasks)
        drawn = watch(driver, list(tasks.dask), arguments.screenshot)
        running = not future.done()
        Event(DRAWN, client=client).set()
        workers = listed_workers(driver, arguments.dashboard)
        result = future.result(timeout=120)

    problem = ""
    if workers != arguments.workers:
        problem = f"the page shows {workers} workers instead of {arguments.workers}."
    elif drawn == 0:
        problem = "the task stream stayed empty."
    elif not running:
        problem = "the graph had ended before the picture was taken."
    elif result != sum(range(TASKS)):
        problem = f"the graph gave {result} instead of {sum(range(TASKS))}."
    report("dashboard", problem, workers=workers, tasks_drawn=drawn, screenshot=arguments.screenshot)


if __name__ == "__main__":
    main()
