# A killed pipeline leaves Snakemake's lock behind, and the next one would ask for `--unlock`. The system frees the lock
# below when its process ends, however it ends. A pipeline that gets it knows that no other one runs in this folder, and
# removes what was left behind. If another one does run, Snakemake's own lock stops this one with its usual message. The
# same happens if the file system has no locks; the user then decides about `--unlock`.

from gradalign.base.files import lock

if workflow.is_main_process:
    Path(".snakemake/locks").mkdir(parents=True, exist_ok=True)
    pipeline_lock = open(".snakemake/pipeline.lock", "a")
    try:
        alone = lock(pipeline_lock, logger.warning)
    except BlockingIOError:
        alone = False
    except OSError as error:
        raise WorkflowError(
            f"the lock of the pipeline cannot be taken, nothing was started\n{described(error)}"
        ) from None
    if alone:
        for left_behind in Path(".snakemake/locks").glob("*.lock"):
            left_behind.unlink(missing_ok=True)
