#include "apps/node_log_reader.h"

#include <algorithm>
#include <fstream>

#include "apps/network_folder.h"
#include "apps/node_log.h"

namespace lockstep::apps {
namespace {

Result<std::string> folder_of(const NetworkFolder& network, const std::string& name) {
  const auto& members = network.file().members;
  if (std::any_of(members.begin(), members.end(), [&](const Member& member) {
        return member.name == name;
      })) {
    return network.member(name);
  }
  const auto jobs = network.job_names();
  if (std::find(jobs.begin(), jobs.end(), name) != jobs.end()) {
    return network.job(name);
  }
  std::string known;
  for (const Member& member : members) {
    known += (known.empty() ? "" : ", ") + member.name;
  }
  return refuse(Code::file_not_found,
                "no node and no job has this name",
                "nodes: " + known + "; jobs: lockstep jobs",
                name);
}

}  // namespace

Exit show_node_log(const std::string& network, const std::string& name, bool as_json) {
  const Report report(as_json);
  const auto opened = NetworkFolder::open(network);
  if (!opened.ok()) {
    return report.fail(opened.error());
  }
  const auto folder = folder_of(*opened, name);
  if (!folder.ok()) {
    return report.fail(folder.error());
  }
  for (const std::string& path : LogFile::files_of(*folder + "/logs/" + node_log_name)) {
    std::ifstream lines(path);
    std::string line;
    while (std::getline(lines, line)) {
      std::printf("%s\n", (as_json ? line : readable_line(line)).c_str());
    }
  }
  return Exit::ok;
}

}  // namespace lockstep::apps
