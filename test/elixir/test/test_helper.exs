daemon = HarTest.join_cluster()
ExUnit.after_suite(fn _result -> HarTest.leave_cluster(daemon) end)

# Each case has real processes behind it; the machine may be busy.
ExUnit.start(
  timeout: 180_000,
  max_cases: 1,
  assert_receive_timeout: 20_000,
  formatters: [ExUnit.CLIFormatter, HarTest.Times]
)
