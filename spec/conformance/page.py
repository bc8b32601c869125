def of_server(*a): return ""
