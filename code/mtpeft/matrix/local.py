"""The cells of a matrix on this machine: one worker for each GPU, or as many as asked for."""

import queue
import threading

from mtpeft.core.boundary import explained
from mtpeft.core.gpus import devices
from mtpeft.core.locks import InUse, held
from mtpeft.matrix.plan import Cell, Plan, cells, check_marks, following, home
from mtpeft.matrix.step import perform


def run(name: str, plan: Plan, workers: int = 0) -> dict[Cell, str]:
    """Do every stage that is not finished, cell by cell; a cell that fails lets the others go on.

    Args:
        name: Of the matrix.
        plan: Its plan.
        workers: Cells side by side; 0: one for each GPU.

    Returns:
        The cells that failed, with what went wrong.

    Raises:
        MtpeftError: Marks are those of another plan.
    """
    check_marks(name, plan)
    todo: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in cells(plan):
        todo.put(cell)
    failed: dict[Cell, str] = {}
    stop = threading.Event()

    def work(device: str) -> None:
        while not stop.is_set():
            try:
                cell = todo.get_nowait()
            except queue.Empty:
                return
            try:
                _cell(name, plan, cell, device, stop)
            except InUse:
                print(f"matrix: {cell.run} seed {cell.seed}: another worker has it")
            except Exception as error:  # whatever it is (a full disk), the other cells go on
                failed[cell] = explained(error).found

    threads = [threading.Thread(target=work, args=(d,), daemon=True) for d in devices(workers)]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.2)
    except KeyboardInterrupt:
        stop.set()
        for thread in threads:
            thread.join()
        raise
    return failed


def _cell(name: str, plan: Plan, cell: Cell, device: str, stop: threading.Event) -> None:
    matrix = home(name)
    with held(cell.folder(matrix) / "cell", wait=False):
        while (stage := following(matrix, cell)) is not None and not stop.is_set():
            print(f"matrix: {cell.run} seed {cell.seed}: {stage}", flush=True)
            if not perform(plan, matrix, cell, stage, stop=stop, device=device):
                return
