defmodule HarTest.Equivalence.Kernel do
  @moduledoc """
  What tools and people ask `erlang`, `code`, `application`, `init`, `os`, `logger` and `observer`'s
  helpers; see `HarTest.Equivalence`.
  """

  def calls, do: system_info() ++ measures() ++ code() ++ application() ++ init() ++ os() ++ tools()

  defp system_info do
    measured = ~w(process_count process_limit port_count port_limit atom_count atom_limit ets_count
      ets_limit schedulers schedulers_online logical_processors logical_processors_available
      logical_processors_online dirty_cpu_schedulers dirty_cpu_schedulers_online
      dirty_io_schedulers creation start_time thread_pool_size dist_buf_busy_limit)a

    plain = ~w(otp_release wordsize smp_support threads endian time_offset time_correction
      kernel_poll multi_scheduling multi_scheduling_blockers build_type machine version
      system_version system_architecture driver_version emu_type emu_flavor heap_type
      modified_timing_level c_compiler_used check_io debug_compiled delayed_node_table_gc
      end_time garbage_collection host min_heap_size max_heap_size procs
      scheduler_bind_type scheduler_bindings cpu_topology dist nif_version os_monotonic_time_source
      os_system_time_source trace_control_word update_cpu_info compat_rel info allocator
      alloc_util_allocators message_queue_data tolerant_timeofday dynamic_trace
      no_such_item)a
    no_values = ~w(procs dist info check_io allocator garbage_collection scheduler_bindings host
      c_compiler_used cpu_topology os_monotonic_time_source os_system_time_source max_heap_size
      delayed_node_table_gc nif_version driver_version alloc_util_allocators update_cpu_info
      end_time)a

    for(item <- measured, do: {:erlang, :system_info, [item], :measured}) ++
      for(item <- plain -- no_values, do: {:erlang, :system_info, [item]}) ++
      [
        {:erlang, :system_info, [:end_time], :measured},
        {:erlang, :system_info, [{:wordsize, :external}]},
        {:erlang, :system_info, [{:wordsize, :nothing}]},
        {:erlang, :system_info, ["version"]},
        {:erlang, :system_info, []},
        {:erlang, :system_info, [:dist_ctrl], :sorted}
      ]
  end

  defp measures do
    for(
      item <-
        [:wall_clock, :runtime, :reductions, :exact_reductions, :context_switches] ++
          [:garbage_collection, :run_queue, :total_run_queue_lengths, :io] ++
          [:total_active_tasks, :total_run_queue_lengths_all, :no_such_item],
      do: {:erlang, :statistics, [item], :measured}
    ) ++
      [
        {:erlang, :statistics, [:run_queue_lengths], :kinds},
        {:erlang, :statistics, [:active_tasks], :kinds},
        {:erlang, :statistics, [:scheduler_wall_time]},
        {:erlang, :memory, [], :measured},
        {:erlang, :memory, [:total], :measured},
        {:erlang, :memory, [[:total, :atom]], :measured},
        {:erlang, :memory, [:no_such_kind]},
        {:erlang, :monotonic_time, [], :measured},
        {:erlang, :monotonic_time, [:second], :measured},
        {:erlang, :monotonic_time, [:fortnight]},
        {:erlang, :system_time, [], :measured},
        {:erlang, :system_time, [:millisecond], :measured},
        {:erlang, :system_time, [0]},
        {:erlang, :time_offset, [], :measured},
        {:erlang, :timestamp, [], :measured},
        {:erlang, :now, [], :measured},
        {:erlang, :date, [], :measured},
        {:erlang, :time, [], :measured},
        {:erlang, :localtime, [], :measured},
        {:erlang, :universaltime, [], :measured},
        {:erlang, :unique_integer, [], :measured},
        {:erlang, :unique_integer, [[:monotonic, :positive]], :measured},
        {:erlang, :unique_integer, [:positive]},
        {:erlang, :convert_time_unit, [1500, :millisecond, :second]},
        {:erlang, :convert_time_unit, [-1500, :millisecond, :second]},
        {:erlang, :convert_time_unit, [1, :second, :fortnight]},
        {System, :monotonic_time, [], :measured},
        {System, :system_time, [:second], :measured},
        {System, :os_time, [], :measured},
        {System, :otp_release, []},
        {System, :version, []},
        {System, :schedulers_online, [], :measured},
        {System, :convert_time_unit, [1000, :millisecond, :second]}
      ]
  end

  defp code do
    [
      {:code, :which, [:no_such_module]},
      {:code, :which, [:erlang]},
      {:code, :which, ["erlang"]},
      {:code, :is_loaded, [:no_such_module]},
      {:code, :is_loaded, [:erlang]},
      {:code, :ensure_loaded, [:no_such_module]},
      {:code, :ensure_loaded, [:erlang]},
      {:code, :ensure_loaded, [:lists]},
      {:code, :all_loaded, [], :modules},
      {:code, :get_mode, []},
      {:code, :get_object_code, [:no_such_module]},
      {:code, :module_status, [:no_such_module]},
      {:code, :priv_dir, [:no_such_application]},
      {:code, :lib_dir, [:no_such_application]},
      {:code, :is_sticky, [:lists]},
      {:code, :purge, [:no_such_module]},
      {:code, :soft_purge, [:no_such_module]},
      {:code, :delete, [:no_such_module]},
      {:erlang, :function_exported, [:lists, :reverse, 1]},
      {:erlang, :function_exported, [:lists, :reverse, 9]},
      {:erlang, :function_exported, [:lists, :reverse, :x]},
      {:erlang, :module_loaded, [:lists]},
      {:erlang, :module_loaded, [:no_such_module]},
      {:erlang, :module_loaded, [1]},
      {:erlang, :loaded, [], :modules},
      {:erlang, :check_old_code, [:lists]},
      {:erlang, :get_module_info, [:lists, :module]},
      {:erlang, :get_module_info, [:no_such_module, :module]},
      {:lists, :module_info, [:module]},
      {Code, :ensure_loaded?, [:lists]},
      {Code, :ensure_loaded?, [NoSuch.Module]},
      {Code, :ensure_loaded, [NoSuch.Module]},
      {Kernel, :function_exported?, [:lists, :reverse, 1]}
    ]
  end

  defp application do
    [
      {:application, :get_env, [:kernel, :no_such_key]},
      {:application, :get_env, [:no_such_application, :key]},
      {:application, :get_env, [:no_such_application, :key, :default]},
      {:application, :get_all_env, [:no_such_application]},
      {:application, :get_key, [:no_such_application, :vsn]},
      {:application, :get_all_key, [:no_such_application]},
      {:application, :which_applications, [], :kinds},
      {:application, :loaded_applications, [], :kinds},
      {:application, :get_application, [:no_such_module]},
      {:application, :get_application, [:lists]},
      {:application, :ensure_started, [:kernel]},
      {:application, :ensure_all_started, [:kernel]},
      {:application, :start, [:kernel]},
      {:application, :start, [:no_such_application]},
      {:application, :stop, [:no_such_application]},
      {:application, :load, [:kernel]},
      {:application, :load, [:no_such_application]},
      {Application, :get_env, [:no_such_application, :key]},
      {Application, :get_env, [:no_such_application, :key, 1]},
      {Application, :started_applications, [], :kinds}
    ]
  end

  defp init do
    [
      {:init, :get_status, []},
      {:init, :get_argument, [:no_such_flag]},
      {:init, :get_plain_arguments, []},
      {:init, :get_arguments, [], :kinds},
      {:init, :script_id, []},
      {:init, :notify_when_started, [1]}
    ]
  end

  defp os do
    [
      {:os, :type, []},
      {:os, :timestamp, [], :measured},
      {:os, :system_time, [], :measured},
      {:os, :system_time, [:second], :measured},
      {:os, :perf_counter, [], :measured},
      {:os, :perf_counter, [:second], :measured},
      {:os, :getenv, [~c"NO_SUCH_VARIABLE"]},
      {:os, :getenv, [~c"NO_SUCH_VARIABLE", ~c"default"]},
      {:os, :version, [], :measured},
      {:os, :cmd, [~c"true"]},
      {System, :get_env, ["NO_SUCH_VARIABLE"]},
      {:inet, :gethostname, []},
      {:file, :get_cwd, [], :kinds},
      {:file, :read_file, [~c"/no/such/file"]},
      {:ets, :all, [], :kinds},
      {:ets, :info, [:no_such_table]},
      {:ets, :lookup, [:no_such_table, 1]}
    ]
  end

  # What `observer`, `recon` and shells ask of a remote node.
  defp tools do
    [
      {:observer_backend, :vsn, [], :kinds},
      {:observer_backend, :sys_info, [], :kinds},
      {:observer_backend, :get_table_list, [:ets, []], :kinds},
      {:observer_backend, :get_mnesia_loop, [1]},
      {:observer_backend, :get_port_list, [], :kinds},
      {:observer_backend, :get_socket_list, [], :kinds},
      {:erlang, :ports, [], :kinds},
      {:erlang, :port_info, [:no_port]},
      {:erlang, :trace_info, [:new, :flags]},
      {:logger, :get_primary_config, []},
      {:logger, :get_handler_ids, []},
      {:logger, :info, [~c"hello"]},
      {:logger, :error, [~c"hello ~p", [1]]},
      {:logger, :notice, [%{what: :report}]},
      {:error_logger, :info_msg, [~c"hello"]},
      {:error_logger, :error_msg, [~c"hello ~p~n", [1]]},
      {:calendar, :universal_time, [], :measured},
      {:calendar, :local_time, [], :measured}
    ]
  end
end
