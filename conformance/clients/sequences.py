def run(report, aim): pass
