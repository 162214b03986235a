"""The GPU worker: takes runs from the queue, trains each in a child process, and writes what the child reports.

tasks        the Celery task: claim -> train in a child -> complete or fail
recorder     what the child reports becomes rows
protocol     what the child may say, line by line
__main__     the child, and the command to reproduce a run: python -m worker config.json --output-dir out/
finetune/    the training library: knows no queue and no database
"""
