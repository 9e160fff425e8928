defmodule HarTest.HarApiTest do
  @moduledoc "`HAR.*` of a Rust node, asked by `:rpc` and `:erpc`: the shapes that Elixir callers match on."
  use ExUnit.Case

  alias HarTest.Har

  @playbook File.read!(Path.join([__DIR__, "..", "fixtures", "site.yml"]))

  setup_all do
    har = Har.start_supervised()
    HarTest.connect!(har)
    %{har: har.node}
  end

  defp parse!(har, format \\ :ansible, content \\ @playbook) do
    assert {:ok, graph} = :rpc.call(har, HAR, :parse, [format, content])
    graph
  end

  test "version/0 is a binary", %{har: har} do
    version = :rpc.call(har, HAR, :version, [])
    assert is_binary(version) and version =~ ~r/^\d+\.\d+/
  end

  test "parse/2 gives a graph struct with every key", %{har: har} do
    graph = parse!(har)
    assert graph.__struct__ == HAR.Semantic.Graph
    assert Map.keys(graph) |> Enum.sort() == [:__struct__, :edges, :metadata, :vertices]
    assert graph.metadata.source == :ansible
    assert %DateTime{calendar: Calendar.ISO, time_zone: "Etc/UTC"} = graph.metadata.parsed_at
    assert length(graph.vertices) >= 6
  end

  test "operations are structs with every key", %{har: har} do
    for operation <- parse!(har).vertices do
      assert operation.__struct__ == HAR.Semantic.Operation

      assert Map.keys(operation) |> Enum.sort() ==
               [:__struct__, :id, :metadata, :params, :target, :type]

      assert is_binary(operation.id) and is_atom(operation.type)
      assert is_map(operation.params) and is_map(operation.target) and is_map(operation.metadata)
    end
  end

  test "ids are unique and of the contract's form", %{har: har} do
    ids = for operation <- parse!(har).vertices, do: operation.id
    assert Enum.uniq(ids) == ids
    assert hd(ids) =~ ~r/^ansible_p0_t0_\d+$/
  end

  test "tasks depend on the ones before them", %{har: har} do
    graph = parse!(har)
    ids = MapSet.new(graph.vertices, & &1.id)
    assert graph.edges != []

    for edge <- graph.edges do
      assert edge.__struct__ == HAR.Semantic.Dependency
      assert Map.keys(edge) |> Enum.sort() == [:__struct__, :from, :metadata, :to, :type]
      assert edge.from in ids and edge.to in ids
    end

    assert Enum.any?(graph.edges, &(&1.type == :sequential))
  end

  test "modules become the types of the vocabulary", %{har: har} do
    types = for operation <- parse!(har).vertices, do: operation.type
    assert :package_install in types
    assert :service_start in types
    assert :user_create in types
  end

  test "parse/3 takes options", %{har: har} do
    assert {:ok, %{__struct__: HAR.Semantic.Graph}} =
             :rpc.call(har, HAR, :parse, [:ansible, @playbook, []])
  end

  test "an empty playbook is an empty graph", %{har: har} do
    graph = parse!(har, :ansible, "[]")
    assert graph.vertices == [] and graph.edges == []
  end

  test "an unknown format is an error tuple", %{har: har} do
    assert :rpc.call(har, HAR, :parse, [:no_such_format, "x"]) ==
             {:error, {:unsupported_format, :no_such_format}}
  end

  test "bad YAML is the contract's error with its place", %{har: har} do
    assert {:error, {:yaml_parse_error, problem}} =
             :rpc.call(har, HAR, :parse, [:ansible, "- name: x\n  tasks: [1, 2\n- y"])

    assert problem.__struct__ == YamlElixir.ParsingError
    assert problem.__exception__ == true
    assert Enum.all?([:line, :column, :type, :message], &Map.has_key?(problem, &1))
    assert is_binary(problem.message)
  end

  test "content that is no binary is a function clause error", %{har: har} do
    assert {:badrpc, {:EXIT, {:function_clause, [{_module, _function, _args, _info} | _]}}} =
             :rpc.call(har, HAR, :parse, [:ansible, 42])
  end

  test "convert/3 from Ansible to Salt", %{har: har} do
    assert {:ok, sls} = :rpc.call(har, HAR, :convert, [:ansible, @playbook, [to: :salt]])
    assert is_binary(sls)
    assert sls =~ "pkg.installed"
    assert sls =~ "nginx"
    assert sls =~ "service.running"
    assert sls =~ "/etc/nginx/nginx.conf"
    assert sls =~ "user.present"
  end

  test "state: absent is not turned into its opposite", %{har: har} do
    playbook = "- hosts: all\n  tasks:\n  - name: gone\n    apt: {name: telnet, state: absent}\n"
    assert {:ok, sls} = :rpc.call(har, HAR, :convert, [:ansible, playbook, [to: :salt]])
    assert sls =~ "pkg.removed" or sls =~ "pkg.purged"
    refute sls =~ "pkg.installed"
  end

  test "convert/3 by :erpc gives the same text", %{har: har} do
    assert :erpc.call(har, HAR, :convert, [:ansible, @playbook, [to: :salt]]) ==
             :rpc.call(har, HAR, :convert, [:ansible, @playbook, [to: :salt]])
  end

  test "convert/3 without :to is a KeyError", %{har: har} do
    assert {:badrpc, {:EXIT, {%KeyError{key: :to}, stack}}} =
             :rpc.call(har, HAR, :convert, [:ansible, @playbook, []])

    assert is_list(stack)
  end

  test "convert/3 of an unknown format or to an unknown target", %{har: har} do
    assert :rpc.call(har, HAR, :convert, [:no_such_format, "x", [to: :salt]]) ==
             {:error, {:unsupported_format, :no_such_format}}

    assert :rpc.call(har, HAR, :convert, [:ansible, @playbook, [to: :no_such_target]]) ==
             {:error, {:unsupported_target, :no_such_target}}
  end

  test "convert/3 of bad YAML", %{har: har} do
    assert {:error, {:yaml_parse_error, _problem}} =
             :rpc.call(har, HAR, :convert, [:ansible, "a: [b", [to: :salt]])
  end

  test "transform/2 takes the graph that parse/2 gave", %{har: har} do
    graph = parse!(har)
    assert {:ok, sls} = :rpc.call(har, HAR, :transform, [graph, [to: :salt]])
    assert sls =~ "pkg.installed"
  end

  test "50 conversions from 8 callers agree", %{har: har} do
    1..50
    |> Task.async_stream(
      fn _ -> :rpc.call(har, HAR, :convert, [:ansible, @playbook, [to: :salt]]) end,
      max_concurrency: 8,
      timeout: 60_000
    )
    |> Enum.map(fn {:ok, {:ok, sls}} -> sls end)
    |> Enum.uniq()
    |> then(fn texts -> assert length(texts) == 1 end)
  end

  test "a playbook of 2,000 tasks", %{har: har} do
    tasks =
      for n <- 1..2_000, do: "  - name: task #{n}\n    apt: {name: package#{n}, state: present}\n"

    playbook = IO.iodata_to_binary(["- hosts: all\n  tasks:\n" | tasks])
    assert length(parse!(har, :ansible, playbook).vertices) == 2_000
  end
end
