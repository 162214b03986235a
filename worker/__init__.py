"""The GPU worker: takes runs from the queue, trains each in a child process, and writes what the child reports.

app          the process: Celery with one thread of work, sweeper and heartbeat beside it
tasks        the Celery task: claim -> train in a child -> complete or fail
job, child   what an attempt needs and starts; follow stays with it to its end; verdict says how it ended
recorder     what the child reports becomes rows (series, values, run_log); storage writes when that is hard
sweeper      abandoned runs, lost wake-ups, the heartbeat
download     base models from the hub, a process of its own
protocol     what the child may say, line by line
__main__     the child, and the command to reproduce a run: python -m worker config.json --output-dir out/
reporting    how the child speaks: events over a pipe, or lines; threads how many; libraries what they are told
finetune/    the training library: knows no queue and no database
"""
