# A pipeline that was killed leaves the lock of Snakemake behind, and the next one would ask for `--unlock` by hand. The
# system frees the lock below with the process that holds it, however that ends: whoever gets it knows that no other
# pipeline runs in this folder. Where another one does run, Snakemake's own lock stops this one with its usual message.
# So it does where the file system has no locks: then nobody knows, and `--unlock` is for the user to ask for.

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
