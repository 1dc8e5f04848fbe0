# Snakemake requires outputs that are newer than the inputs. With an input dated in the future, by another machine or
# before a clock was set, a job would run to its end and then lose its outputs. Such inputs are refused at the start.

import datetime
import tempfile

SKEW = 1.0  # seconds by which clocks of network file systems may differ


def time_of_files():
    """Now by the clock of the file system of the results, which may be that of a server."""
    try:
        with tempfile.TemporaryFile(dir=Path(results) if Path(results).is_dir() else ".") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return datetime.datetime.now().timestamp()


def refuse_inputs_of_the_future():
    planned = list(workflow.dag.needrun_jobs())
    made = {str(file) for job in planned for file in job.output}
    times = {}
    for file in {str(file) for job in planned for file in job.input} - made:
        try:
            times[file] = os.lstat(f"{file}/.snakemake_timestamp" if os.path.isdir(file) else file).st_mtime
        except FileNotFoundError:
            pass
    now = time_of_files()
    if late := sorted(file for file, time in times.items() if time > now + SKEW):
        said = [f"  {file}: {datetime.datetime.fromtimestamp(times[file]):%Y-%m-%d %H:%M:%S}" for file in late[:5]]
        raise WorkflowError(
            "the time of these files lies in the future, nothing was started. Snakemake would remove what it computes "
            f"from them, as older than they are. Now it is {datetime.datetime.fromtimestamp(now):%Y-%m-%d %H:%M:%S}; "
            f"set the clock if that is wrong, or give them this time: touch {shlex.join(late)}\n"
            + "\n".join([*said, *([f"  and {len(late) - 5} more"] if len(late) > 5 else [])])
        )
