"""Files that change while a program runs: when they have changed, and reading them again.

On Linux the system says that something has changed (inotify). That is a hint and no more: not every file system gives
it, and it does not say that a writer has finished. So what has changed is found by looking at the files, which costs
microseconds and opens none, and a hint only means to look now. Where there are no hints, a look every few seconds finds
the same.
"""
