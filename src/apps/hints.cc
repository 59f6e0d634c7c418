#include "apps/hints.h"

#include <algorithm>
#include <filesystem>

#include "apps/node_file.h"
#include "spec/suggest.h"

namespace lockstep::apps {
namespace {

std::vector<std::string_view> views_of(const std::vector<std::string>& words) {
  return {words.begin(), words.end()};
}

/// "3 days", "2 hours", "5 minutes", "40 seconds".
std::string span_text(uint64_t seconds) {
  const auto text = [](uint64_t count, const char* unit) {
    return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
  };
  if (seconds >= 86'400) {
    return text(seconds / 86'400, "day");
  }
  if (seconds >= 3600) {
    return text(seconds / 3600, "hour");
  }
  return seconds >= 60 ? text(seconds / 60, "minute") : text(seconds, "second");
}

/// What usually helps; empty where only the place that refuses can know.
const char* usual_step(Code code) {
  switch (code) {
    case Code::file_not_found:
      return "check the path";
    case Code::over_budget:
      return "raise budget: in the job file, or ask for less";
    case Code::no_offer:
      return "see offers and prices: lockstep run JOB.yaml --dry-run; or raise the price in the "
             "job file";
    case Code::low_funds:
      return "see what the wallet holds: lockstep wallet show NAME";
    case Code::low_stake:
      return "add stake, or take fewer tasks at once";
    case Code::bad_receipt:
      return "get the receipt again from whoever gave it to you, and do not trust this one";
    case Code::bad_address:
      return "write HOST:PORT, such as 192.0.2.7:4100 or [2001:db8::1]:4100";
    case Code::unreachable:
      return "check the address, and that the other side is up; then try again";
    case Code::not_trusted:
      return "check the key behind # in the address with whoever gave it to you";
    case Code::timed_out:
      return "start what of the network has died: lockstep up; then try again";
    case Code::bad_message:
      return "both sides should run the same version: lockstep version";
    case Code::bad_key_file:
      return "try the passphrase again, or restore the file from your backup";
    case Code::in_use:
      return "wait until the other one is done, or end the network first: lockstep down";
    case Code::no_network:
      return "start one first: lockstep up";
    case Code::bad_folder:
      return "check the path, or start with a new folder: lockstep up --network-dir NEW_FOLDER";
    case Code::not_permitted:
      return "check owner and permissions: ls -ld PATH";
    case Code::cancelled:
      return "give the command again when you like";
    case Code::io_failed:
      return "see what is wrong with this machine: lockstep doctor";
    case Code::disk_full:
      return "make room on that disk (see: df -h), then start again";
    case Code::internal:
      return "please report this with the log and what you did";
    case Code::wrong_network:
      return "the two sides belong to different networks: check which one this folder is for";
    case Code::unsupported_device:
      return "see what this machine has: lockstep doctor";
    default:
      return "";
  }
}

}  // namespace

Error no_network_yet(const std::string& folder) {
  return refuse(
      Code::no_network, "no network was started here yet", "start one first: lockstep up", folder);
}

Error wrong_path(const std::string& path, const std::vector<std::string>& beside) {
  const size_t slash = path.find_last_of('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const auto known = views_of(beside);
  const auto nearest = spec::suggest(name, known);
  return refuse(Code::file_not_found,
                "there is no such file",
                nearest ? "did you mean \"" + std::string(*nearest) + "\"?" : "check the path",
                path);
}

Error port_in_use(const env::Address& address) {
  const std::string port = std::to_string(address.port);
  return refuse(Code::in_use,
                "another program listens there",
                "see which: ss -ltnp 'sport = :" + port + "'; stop it or choose another port",
                text_of(address));
}

Error nobody_there(const env::Address& address) {
  return refuse(Code::unreachable,
                "nobody answers at this address",
                "check host and port, that `lockstep up` runs there, and firewalls between",
                text_of(address));
}

Error somebody_else_there(const env::Address& address) {
  return refuse(Code::not_trusted,
                "whoever answers there has another key than the one that was named",
                "check the key behind # with whoever gave you the address; nothing was sent",
                text_of(address));
}

Error other_format(const std::string& folder, uint32_t found, uint32_t known) {
  const std::string formats =
      "format " + std::to_string(found) + ", and this program writes " + std::to_string(known);
  return refuse(
      Code::bad_folder,
      (found > known ? "a newer version of lockstep wrote this folder: "
                     : "an older version of lockstep wrote this folder: ") +
          formats,
      found > known
          ? "update lockstep, or start with a new folder: lockstep up --network-dir NEW_FOLDER"
          : "finish its jobs with the old version, or start with a new folder: "
            "lockstep up --network-dir NEW_FOLDER",
      folder);
}

Error with_neighbours(Error error) {
  if (error.code != Code::file_not_found || error.where.empty()) {
    return error;
  }
  namespace fs = std::filesystem;
  // The first part of the path that does not exist has a typo, or all below it is missing.
  std::error_code failed;
  fs::path missing(error.where);
  while (missing.has_parent_path() && missing.parent_path() != missing &&
         !fs::exists(missing.parent_path(), failed)) {
    missing = missing.parent_path();
  }
  const fs::path folder = missing.has_parent_path() ? missing.parent_path() : fs::path(".");
  std::vector<std::string> beside;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    beside.push_back(at->path().filename().string());
  }
  std::sort(beside.begin(), beside.end());
  Error told = wrong_path(missing.string(), beside);
  told.where = error.where;
  if (beside.empty() || told.next == "check the path") {
    told.next = "check the path: ls '" + folder.string() + "'";
  }
  return told;
}

Error no_space(const std::string& folder, uint64_t free_bytes) {
  return refuse(Code::disk_full,
                "the disk is full: " + std::to_string(free_bytes >> 20) + " MiB are left",
                "make room (see: df -h), then start again: nothing that was acknowledged is lost",
                folder);
}

Error clock_is_off(int64_t ahead_ms) {
  const bool ahead = ahead_ms >= 0;
  const uint64_t off =
      ahead ? static_cast<uint64_t>(ahead_ms) : 0 - static_cast<uint64_t>(ahead_ms);
  return refuse(Code::out_of_range,
                "this machine's clock is " + span_text(off / 1000) +
                    (ahead ? " ahead of" : " behind") + " the network's",
                "set it: sudo timedatectl set-ntp true; then start again");
}

Error already_up(const std::string& folder, int64_t process) {
  return refuse(Code::in_use,
                "`lockstep up` runs here already, as process " + std::to_string(process),
                "use it as it is, or end it first: lockstep down",
                folder);
}

Error interrupted_at_once() {
  return refuse(Code::cancelled,
                "interrupted before anything was started",
                "nothing was changed: give the command again when you like");
}

Error interrupted_while_following(const std::string& job) {
  return refuse(
      Code::cancelled,
      "you no longer follow the job, which goes on",
      "follow it again: lockstep run --attach " + job + "; end it: lockstep cancel " + job,
      job);
}

Error unknown_command(const std::string& word, const std::vector<std::string>& commands) {
  const auto known = views_of(commands);
  return refuse(Code::bad_option, "there is no such command", spec::advice(word, known), word);
}

Error with_hint(Error error) {
  if (error.next.empty()) {
    error.next = usual_step(error.code);
  }
  return error;
}

}  // namespace lockstep::apps
