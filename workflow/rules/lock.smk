# A pipeline that was killed leaves the lock of Snakemake behind, and the next one would ask for `--unlock` by hand. The
# system frees the lock below with the process that holds it, however that ends: whoever gets it knows that no other
# pipeline runs in this folder. Where another one does run, Snakemake's own lock stops this one with its usual message.

import fcntl

if workflow.is_main_process:
    Path(".snakemake/locks").mkdir(parents=True, exist_ok=True)
    pipeline_lock = open(".snakemake/pipeline.lock", "w")
    try:
        fcntl.flock(pipeline_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for left_behind in Path(".snakemake/locks").glob("*.lock"):
            left_behind.unlink(missing_ok=True)
