#include "apps/network_folder.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "apps/folders.h"
#include "apps/hints.h"
#include "apps/node_process.h"
#include "apps/wallet_files.h"
#include "platform/data_dir.h"
#include "platform/files.h"
#include "platform/private_files.h"
#include "platform/random.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* network_file_name = "network.json";
constexpr const char* pid_file_name = "node.pid";
constexpr int stop_ms = 10'000;
constexpr int start_ms = 20'000;
constexpr int look_ms = 10;
constexpr int dying_looks = 10;

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

ByteView bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string log_of(const std::string& folder) {
  return folder + "/logs/node.log";
}

/// The last line that a node wrote before it ended.
std::string last_words(const std::string& folder) {
  platform::Files files;
  constexpr size_t log_bytes_max = size_t{1} << 30;
  const auto log = files.read(log_of(folder), log_bytes_max);
  if (!log.ok() || log->empty()) {
    return "it said nothing";
  }
  std::string text(log->begin(), log->end());
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  const size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

}  // namespace

Result<NetworkFolder> NetworkFolder::open(const std::string& path) {
  const std::string file = path + "/" + network_file_name;
  if (!exists(file)) {
    return no_network_yet(path);
  }
  platform::Files files;
  return NetworkFolder(path, TRY(read_network_file(files, file)));
}

Result<NetworkFolder> NetworkFolder::create(const std::string& path, NetworkFile file) {
  if (exists(path + "/" + network_file_name)) {
    return refuse(Code::already_there, "there is a network here already", {}, path);
  }
  TRY(platform::make_private_folder(path));
  TRY(platform::make_private_folder(path + "/jobs"));
  const std::string text = write_network_file(file);
  platform::Files files;
  TRY(files.write(path + "/" + network_file_name, bytes_of(text)));
  return NetworkFolder(path, std::move(file));
}

std::vector<std::string> NetworkFolder::job_names() const {
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(jobs(), error)) {
    const std::string file = entry.path().string() + "/" + node_file_name;
    const auto made = fs::last_write_time(file, error);
    if (!error) {
      found.emplace_back(made, entry.path().filename().string());
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  names.reserve(found.size());
  for (auto& entry : found) {
    names.push_back(std::move(entry.second));
  }
  return names;
}

/// Hides whatever is not the system's: homes, temporary files, data sets and other nodes.
platform::View NetworkFolder::view_of(const std::string& folder) const {
  platform::View view;
  view.own = folder;
  for (const std::string& path : {std::string("/home"),
                                  std::string("/root"),
                                  std::string("/tmp"),
                                  std::string("/var/tmp"),
                                  std::string("/usr/share/datasets"),
                                  environment_of_process("HOME"),
                                  path_}) {
    const bool is_hidden =
        std::any_of(view.covered.begin(), view.covered.end(), [&](const std::string& covered) {
          return path == covered || path.starts_with(covered + "/");
        });
    if (path.size() > 1 && exists(path) && !is_hidden) {
      view.covered.push_back(path);
    }
  }
  return view;
}

bool NetworkFolder::is_running(const std::string& folder) const {
  const auto process = platform::Process::find(folder + "/" + pid_file_name);
  return process.ok() && process->is_alive();
}

Result<bool> NetworkFolder::start(const std::string& folder,
                                  const std::vector<std::string>& more) const {
  // Two commands may see at once that it does not run.
  const platform::Descriptor turn = TRY(platform::wait_for_lock(folder + "/start.lock"));
  // One that was killed a moment ago may still be on its way out.
  for (int look = 0; is_running(folder); ++look) {
    if (look == dying_looks) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(look_ms));
  }
  std::error_code error;
  const std::string ready = folder + "/" + ready_file_name;
  fs::remove(ready, error);
  platform::Launch launch;
  launch.program = fs::read_symlink("/proc/self/exe", error).string();
  launch.arguments = {"node", folder};
  launch.arguments.insert(launch.arguments.end(), more.begin(), more.end());
  launch.log = log_of(folder);
  launch.pid_file = folder + "/" + pid_file_name;
  launch.view = view_of(folder);
  const platform::Process process = TRY(platform::Process::spawn(launch));
  for (int waited = 0; waited < start_ms; waited += look_ms) {
    if (exists(ready)) {
      return true;
    }
    if (!process.is_alive()) {
      return refuse(Code::internal,
                    "the node ended as soon as it was started: " + last_words(folder),
                    "see " + log_of(folder),
                    folder);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(look_ms));
  }
  return refuse(Code::timed_out, "the node does not come up", "see " + log_of(folder), folder);
}

Result<bool> NetworkFolder::stop(const std::string& folder) const {
  const auto process = platform::Process::find(folder + "/" + pid_file_name);
  if (!process.ok() || !process->is_alive()) {
    return false;
  }
  (void)TRY(process->terminate(stop_ms));
  return true;
}

Result<void> NetworkFolder::kill(const std::string& folder) const {
  const platform::Process process = TRY(platform::Process::find(folder + "/" + pid_file_name));
  if (process.is_alive() && ::kill(process.pid(), SIGKILL) != 0) {
    return refuse(Code::not_permitted, "the process may not be killed", {}, folder);
  }
  return {};
}

Result<crypto::SecretKey> make_node_folder(const std::string& folder) {
  const platform::DataDir data = TRY(platform::DataDir::open(folder));
  const std::string key = data.keys() + "/" + key_file_name;
  if (exists(key)) {
    return load_plain_key(key);
  }
  platform::Random random;
  return create_plain_key(key, random);
}

Result<void> write_node_json(const std::string& folder, const NodeFile& file) {
  platform::Files files;
  const std::string text = write_node_file(file);
  return files.write(folder + "/" + node_file_name, bytes_of(text));
}

bool is_job_over(const std::string& folder) {
  return exists(folder + "/" + over_file_name);
}

Hash node_secret(const crypto::SecretKey& key, std::string_view purpose) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 node secret");
  const crypto::Seed seed = key.seed();
  crypto::Hasher hasher(mode);
  hasher.update(seed.bytes());
  hasher.update({reinterpret_cast<const uint8_t*>(purpose.data()), purpose.size()});
  return hasher.finish();
}

}  // namespace lockstep::apps
