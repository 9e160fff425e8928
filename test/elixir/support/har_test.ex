defmodule HarTest do
  @moduledoc "What the whole suite shares: one private EPMD, one cookie, the binary under test."

  alias HarTest.{Epmd, OsProcess, Wait}

  @doc "The port of the suite's EPMD. `erl` reads the variable when it starts, so it is given to us."
  def epmd_port do
    case System.get_env("ERL_EPMD_PORT") do
      port when port in [nil, "", "4369"] -> raise "set ERL_EPMD_PORT to a private port"
      port -> String.to_integer(port)
    end
  end

  def cookie, do: :har_test_cookie

  def har_binary do
    System.get_env("HAR_BIN") || raise "set HAR_BIN to the har binary; test/run does"
  end

  @doc "OTP's release as a number, such as 25."
  def otp, do: :erlang.system_info(:otp_release) |> List.to_integer()

  @doc "Starts the EPMD of the suite and makes this virtual machine a node."
  def join_cluster do
    daemon = Epmd.start_daemon(epmd_port())
    {:ok, _pid} = Node.start(:"driver@127.0.0.1", :longnames)
    Node.set_cookie(cookie())
    if System.get_env("HAR_TEST_LOG") in [nil, ""], do: quiet(daemon), else: daemon
  end

  # What lost peers, refused cookies and failed spawns log is expected here; some of it comes from
  # other nodes straight to the handlers.
  defp quiet(daemon) do
    for id <- :logger.get_handler_ids(), do: :logger.set_handler_config(id, :level, :none)
    :logger.set_primary_config(:level, :none)
    daemon
  end

  @doc "Ends this node and its EPMD."
  def leave_cluster(daemon) do
    Node.stop()
    OsProcess.stop(daemon)
  end

  @doc "Connects this node to `node`; raises with the node's own words when that fails."
  def connect!(%{node: node} = har) do
    said = fn -> "#{node} was connected; it said:\n#{log_of(har)}" end
    patiently(said, fn -> Node.connect(node) == true end)
    node
  end

  @doc """
  Asks until the answer is the wanted one, for a while.

  When a node was lost a moment ago, a BEAM's own `global` may take a connection to it down that has
  just been set up (`prevent_overlapping_partitions`), between BEAMs too.
  """
  def patiently(what, ask), do: Wait.until(what, ask, 10_000)

  def log_of(%HarTest.Har{process: process}), do: OsProcess.output(process)
  def log_of(_beam), do: "(nothing kept)"
end
