defmodule HarTest.SoakTest do
  @moduledoc "A short soak; `test/soak --minutes 30` is the long one."
  use ExUnit.Case

  # It reads the memory of processes from /proc, which a chroot has not: test/exunit leaves it out there.
  @moduletag :proc

  test "mixed traffic while peers are killed: no lost or wrong reply, nothing left over" do
    report =
      HarTest.Soak.run(
        seconds: 20,
        kill_every_ms: 2_000,
        sample_every_ms: 10_000,
        workers: 6,
        pause_ms: 60
      )

    assert report.faults == []
    assert report.kills >= 3
    # Each kind of request had right answers.
    assert map_size(report.right) == 12
  end
end
