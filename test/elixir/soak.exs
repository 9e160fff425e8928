# Run by test/soak: `mix run soak.exs SECONDS`.
alias HarTest.Soak
alias HarTest.Soak.Report

[seconds] = System.argv()
seconds = String.to_integer(seconds)
daemon = HarTest.join_cluster()

report =
  Soak.run(
    seconds: seconds,
    kill_every_ms: 4_000,
    sample_every_ms: 15_000,
    workers: 8,
    pause_ms: 60
  )

Report.print(report)
# A short run is all warm-up.
flat = seconds < 300 or Report.flat?(report)
unless flat, do: IO.puts("memory grew")
HarTest.leave_cluster(daemon)
System.halt(if report.faults == [] and flat, do: 0, else: 1)
