defmodule HarTest.TlsTest do
  @moduledoc "TLS distribution with this OTP: each cell of the table in docs/tls.md is a test."
  use ExUnit.Case

  alias HarTest.{Beam, Har, Wait}

  @host "localhost"
  @address "127.0.0.1"

  setup_all do
    dir = Path.join(System.tmp_dir!(), Har.unique("har-tls"))
    {_output, 0} = Har.command(["certs", "init", "--dir", dir, "any@#{@host}", "any@#{@address}"])
    on_exit(fn -> File.rm_rf!(dir) end)
    %{dir: dir}
  end

  # The options file of a node. `check` says whose certificates are looked at.
  defp optfile(dir, version, check, host \\ @host) do
    path = Path.join(dir, "#{version}-#{check}-#{host}.conf")
    file = fn name -> inspect(Path.join(dir, name)) end
    own = "{certfile, #{file.("any@#{host}.pem")}}, {keyfile, #{file.("any@#{host}.key")}}"
    verify = "{verify, verify_peer}, {cacertfile, #{file.("ca.pem")}}"
    versions = "{versions, ['tlsv#{version}']}"

    {server, client} =
      case check do
        :none -> {own, "{verify, verify_none}"}
        :server -> {own, verify}
        :mutual -> {"#{own}, #{verify}, {fail_if_no_peer_cert, true}", "#{own}, #{verify}"}
      end

    File.write!(path, "[{server, [#{server}, #{versions}]}, {client, [#{client}, #{versions}]}].")
    path
  end

  defp har(optfile, args \\ [], host \\ @host) do
    Har.start_supervised(host: host, args: ["--ssl-dist-optfile", optfile] ++ args)
  end

  defp beam(optfile, host \\ @host) do
    args = ["-proto_dist", "inet_tls", "-ssl_dist_optfile", optfile]
    Beam.start_supervised(host: host, args: args)
  end

  defp nodes_of(%Beam{} = beam), do: Beam.call(beam, Node, :list, [])

  defp version(beam, node), do: Beam.call(beam, :rpc, :call, [node, HAR, :version, []])

  for version <- ["1.2", "1.3"], check <- [:none, :server, :mutual] do
    @version version
    @check check

    test "TLS #{version}, #{check}: a BEAM dials har, har dials a BEAM, har dials har", %{
      dir: dir
    } do
      optfile = optfile(dir, @version, @check)
      served = har(optfile)
      beam = beam(optfile)
      assert Beam.call(beam, :net_adm, :ping, [served.node]) == :pong
      assert is_binary(version(beam, served.node))

      dialer = har(optfile, ["--hidden", "--connect", "#{beam.node}"])
      Beam.until(beam, "har dialled the BEAM", Node, :list, [:hidden], &(dialer.node in &1))
      assert is_binary(version(beam, dialer.node))

      ping = [
        "ping",
        "--sname",
        "asker@#{@host}",
        "#{served.node}",
        "--ssl-dist-optfile",
        optfile
      ]

      assert {output, 0} = Har.cluster_command(ping)
      assert output =~ "pong"
    end
  end

  # A BEAM that checks whom a certificate is for looks for an address among the names.
  for host <- [@host, @address] do
    @node_host host

    test "two BEAMs and two har nodes on #{host} become one mesh", %{dir: dir} do
      optfile = optfile(dir, "1.3", :mutual, @node_host)
      first = har(optfile, [], @node_host)
      second = har(optfile, ["--connect", "#{first.node}"], @node_host)
      [one, two] = beams = [beam(optfile, @node_host), beam(optfile, @node_host)]
      for beam <- beams, do: assert(Beam.call(beam, :net_adm, :ping, [first.node]) == :pong)
      all = Enum.sort([first.node, second.node, one.node, two.node])

      for beam <- beams do
        seen = fn -> Enum.sort([beam.node | nodes_of(beam)]) == all end
        Wait.until("#{beam.node} saw all", seen)
      end

      for node <- [first.node, second.node] do
        seen = Beam.call(one, :rpc, :call, [node, :erlang, :nodes, []])
        assert Enum.sort([node | seen]) == all
      end

      # A name that one registers is known to all.
      pid = Beam.call(one, Process, :whereis, [:init])
      :yes = Beam.call(one, :global, :register_name, [:over_tls, pid])
      Beam.until(two, "the name was known", :global, :whereis_name, [:over_tls], &is_pid/1)
    end
  end

  test "a BEAM of another CA is refused, and har says why", %{dir: dir} do
    other = dir <> "-other"
    {_output, 0} = Har.command(["certs", "init", "--dir", other, "any@#{@host}"])
    on_exit(fn -> File.rm_rf!(other) end)
    served = har(optfile(dir, "1.3", :mutual))
    stranger = beam(optfile(other, "1.3", :mutual))
    assert Beam.call(stranger, :net_adm, :ping, [served.node]) == :pang
    HarTest.OsProcess.await_output(served.process, ~r/connection refused|does not trust/)
  end
end
