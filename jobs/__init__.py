"""RQ jobs: applying what webhooks say, and keeping promises when processes die."""
