defmodule HarTest.MixProject do
  @moduledoc "ExUnit against real `har` and BEAM nodes. No dependencies, so no Hex. Run by `test/run`."
  use Mix.Project

  def project do
    [
      app: :har_test,
      version: "0.0.0",
      elixir: "~> 1.14",
      elixirc_paths: ["support", "soak"],
      build_path: System.get_env("MIX_BUILD_PATH") || "_build",
      deps: []
    ]
  end

  def application, do: [extra_applications: [:logger, :crypto]]
end
