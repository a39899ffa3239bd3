"""One rank: it joins its group, trains, times its steps and leaves what it saw in the launch's folder."""
