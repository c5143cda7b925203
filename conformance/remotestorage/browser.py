def run(report, options):
    pass
