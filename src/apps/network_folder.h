// A network on this computer: its folder, and the processes of its members. Holds
//   network.json   who belongs to it
//   wallets/       owners' keys of a private network, not sealed
//   NAME/          of each member, the only folder that its process sees
//   jobs/NAME/     of each job's requester
#pragma once

#include <memory>
#include <vector>

#include "apps/node_file.h"
#include "platform/process.h"

namespace lockstep::apps {

class NetworkFolder {
 public:
  /// Errors: no_network when `lockstep up` has made none there; bad_folder.
  static Result<NetworkFolder> open(const std::string& path);
  /// A new one. Errors: already_there, those of making folders.
  static Result<NetworkFolder> create(const std::string& path, NetworkFile file);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const NetworkFile& file() const { return file_; }
  [[nodiscard]] static std::string wallet_in(const std::string& path, const std::string& owner) {
    return path + "/wallets/" + owner + ".key";
  }
  [[nodiscard]] std::string wallet_of(const std::string& owner) const {
    return wallet_in(path_, owner);
  }
  [[nodiscard]] std::string member(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string jobs() const { return path_ + "/jobs"; }
  [[nodiscard]] std::string job(const std::string& name) const { return jobs() + "/" + name; }
  /// In order of making.
  [[nodiscard]] std::vector<std::string> job_names() const;

  /// Starts the process of a node's folder, unless it runs. True: started. Errors: those of
  /// Process::spawn; why it ended at once.
  Result<bool> start(const std::string& folder, const std::vector<std::string>& more = {}) const;
  [[nodiscard]] bool is_running(const std::string& folder) const;
  /// True: it ran. Errors: not_permitted.
  Result<bool> stop(const std::string& folder) const;
  /// kill -9, for demonstrations.
  Result<void> kill(const std::string& folder) const;

 private:
  NetworkFolder(std::string path, NetworkFile file)
      : path_(std::move(path)), file_(std::move(file)) {}
  [[nodiscard]] platform::View view_of(const std::string& folder) const;
  std::string path_;
  NetworkFile file_;
};

/// A node's folder with its key and node.json; the key file is made when there is none. Gives the
/// node's key. Errors: those of DataDir::open, in_use.
Result<crypto::SecretKey> make_node_folder(const std::string& folder);
Result<void> write_node_json(const std::string& folder, const NodeFile& file);

/// Whether the requester in this folder has come to its job's end.
[[nodiscard]] bool is_job_over(const std::string& folder);

/// What a node keeps secret beside its key: derived from it, so that one file is enough.
[[nodiscard]] Hash node_secret(const crypto::SecretKey& key, std::string_view purpose);

}  // namespace lockstep::apps
