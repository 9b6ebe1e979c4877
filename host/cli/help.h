// Texts of --help that are not about a single option.
#pragma once

#include <string_view>

namespace pons::cli {

inline constexpr std::string_view kExitStatuses =
    "\nExit status:\n"
    "  0  done\n"
    "  1  the command failed\n"
    "  2  wrong usage, or a configuration that cannot be used\n"
    "  3  no host runs there\n"
    "  4  out of time: deadline_exceeded or queue_timeout\n"
    "  130 after SIGINT, 143 after SIGTERM\n";

inline constexpr std::string_view kExamples =
    "\nExamples:\n"
    "  pons call echo:echo text=hi        without a running host: one starts for this call alone\n"
    "  pons serve -c pons.yaml &          run a host\n"
    "  pons ping --wait 10s               until it answers\n"
    "  pons list                          its adapters\n"
    "  pons stop\n";

inline constexpr std::string_view kServeExamples =
    "\nExamples:\n"
    "  pons serve                         the adapters that ship, on the default socket\n"
    "  pons serve -c pons.yaml --name lab\n"
    "  pons serve --stdio -c pons.yaml    for an application that starts its own host\n";

inline constexpr std::string_view kCallExamples =
    "\nARGS\n"
    "  {\"a\": 1}    a JSON object\n"
    "  @FILE       the JSON object in a file; - reads stdin\n"
    "  key=text    a string; key=@FILE: what a file holds, as a string; key=@@x: the string @x\n"
    "  key:=JSON   any JSON value; key:=@FILE: the JSON value in a file\n"
    "Several may be given; of one key the last counts.\n"
    "\nExamples:\n"
    "  pons call echo:echo text=hi count:=3\n"
    "  pons call xgboost:create_model dataset=iris 'params:={\"max_depth\": 3}'\n"
    "  pons call xgboost:execute_resource --resource model-1f... 'inputs:={\"rows\": [[5.1, 3.5, 1.4, 0.2]]}'\n"
    "  pons call echo:stream n:=5 --stream --timeout 10s | head -2\n"
    "  pons call --adapter ./hello greet name=Ada\n";

inline constexpr std::string_view kPingExamples =
    "\nExamples:\n"
    "  pons ping                          the host\n"
    "  pons ping echo                     a worker of the adapter echo\n"
    "  pons ping --wait 10s               for scripts that have just started a host\n";

inline constexpr std::string_view kInfoExamples =
    "\nExamples:\n"
    "  pons info                          the host\n"
    "  pons info echo                     the adapter echo, and its commands\n"
    "  pons info --adapter ./hello\n";

inline constexpr std::string_view kStatsExamples =
    "\nExamples:\n"
    "  pons stats\n"
    "  pons stats echo --json             the sum over the workers of echo\n";

inline constexpr std::string_view kCleanupExamples =
    "\nExamples:\n"
    "  pons cleanup                       of the default adapter\n"
    "  pons cleanup echo\n";

inline constexpr std::string_view kListExamples =
    "\nExamples:\n"
    "  pons list\n"
    "  pons list --json\n";

inline constexpr std::string_view kWorkersExamples =
    "\nExamples:\n"
    "  pons workers\n"
    "  pons workers --json --socket /tmp/lab.sock\n";

inline constexpr std::string_view kSessionsExamples =
    "\nExamples:\n"
    "  pons sessions\n"
    "  pons sessions end alice\n"
    "  pons sessions end alice --in echo\n";

inline constexpr std::string_view kStartExamples =
    "\nExamples:\n"
    "  pons start echo                    status 0 once its workers are ready\n";

inline constexpr std::string_view kStopExamples =
    "\nExamples:\n"
    "  pons stop                          the host\n"
    "  pons stop --name lab --timeout 30s\n"
    "  pons stop echo                     only this adapter, until: pons start echo\n";

inline constexpr std::string_view kRestartExamples =
    "\nExamples:\n"
    "  pons restart echo                  if the new workers fail to start, the old ones stay\n";

inline constexpr std::string_view kDrainExamples =
    "\nExamples:\n"
    "  pons drain echo --timeout 1m       status 4 if requests are left after a minute\n"
    "  pons start echo                    takes requests again\n";

inline constexpr std::string_view kScaleExamples =
    "\nExamples:\n"
    "  pons scale echo 4\n";

inline constexpr std::string_view kRegisterExamples =
    "\nFILE, if its name ends in .yaml, .yml or .json, holds what could stand under the adapter's name in a configuration.\n"
    "\nExamples:\n"
    "  pons register hello ./hello\n"
    "  pons register iris iris.yaml\n";

inline constexpr std::string_view kUpdateExamples =
    "\nA null takes a key away, so that its default counts. Workers are replaced only where they must be.\n"
    "\nExamples:\n"
    "  pons update echo pool.size:=4 timeouts.request=5s\n"
    "  pons update echo env.MODEL=small recycle:=null\n"
    "  pons update echo '{\"options\": {\"model\": \"gemma\"}}'\n";

inline constexpr std::string_view kReloadExamples =
    "\nExamples:\n"
    "  pons check pons.yaml && pons reload\n";

inline constexpr std::string_view kCheckExamples =
    "\nExamples:\n"
    "  pons check pons.yaml\n"
    "  pons check pons.yaml --json        with every default filled in\n";

inline constexpr std::string_view kDoctorExamples =
    "\nStatus 0 without a problem, 1 with one.\n"
    "\nExamples:\n"
    "  pons doctor                        what `pons serve` would use\n"
    "  pons doctor -c pons.yaml --json\n";

inline constexpr std::string_view kAdapterCheckExamples =
    "\nStatus 0 if no rule failed, 1 if one did, 2 if there is no such adapter.\n"
    "\nExamples:\n"
    "  pons adapter check echo            an adapter by its name\n"
    "  pons adapter check ./hello.py      a Python file, a program, an adapter's folder\n"
    "  pons adapter check ./hello --json\n"
    "  pons adapter check echo --slow sleep ms:=60000    and what is to happen while a request runs\n";

}  // namespace pons::cli
