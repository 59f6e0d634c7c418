#include "apps/node_file.h"

#include <algorithm>
#include <charconv>

#include "codec/record.h"
#include "spec/when.h"

namespace lockstep::apps {
namespace {

using nlohmann::json;

constexpr size_t file_bytes_max = size_t{64} << 20;
constexpr const char* node_format = "lockstep-node-1";
constexpr const char* network_format = "lockstep-network-1";

std::string hex_of(const crypto::PublicKey& key) {
  return to_hex(key.bytes);
}

template <class T>
std::string hex_of_record(const T& record) {
  return to_hex(codec::encode(record));
}

/// Reads fields and remembers the first that is not as it should be.
class Fields {
 public:
  explicit Fields(const json& object) : object_(&object) {}
  [[nodiscard]] const json* find(const char* name) const {
    const auto found = object_->find(name);
    return found == object_->end() ? nullptr : &*found;
  }
  std::string text(const char* name) {
    const json* const value = find(name);
    if (value == nullptr || !value->is_string()) {
      fail(name);
      return {};
    }
    return value->get<std::string>();
  }
  uint64_t number(const char* name) {
    const json* const value = find(name);
    if (value == nullptr || !value->is_number_unsigned()) {
      fail(name);
      return 0;
    }
    return value->get<uint64_t>();
  }
  crypto::PublicKey key(const char* name) { return key_of(name, text(name)); }
  crypto::PublicKey key_of(const char* name, const std::string& hex) {
    crypto::PublicKey key;
    const auto bytes = from_hex(hex);
    if (!bytes.ok() || bytes->size() != key.bytes.size()) {
      fail(name);
    } else {
      std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
    }
    return key;
  }
  template <class T>
  T record_of(const char* name, const std::string& hex) {
    const auto bytes = from_hex(hex);
    auto record = bytes.ok() ? codec::decode<T>(*bytes) : Result<T>(bytes.error());
    if (!record.ok()) {
      fail(name);
      return {};
    }
    return std::move(record).value();
  }
  env::Address address(const char* name) {
    auto parsed = parse_address(text(name));
    if (!parsed.ok()) {
      fail(name);
      return {};
    }
    return std::move(parsed).value();
  }
  void fail(const char* name) {
    if (wrong_.empty()) {
      wrong_ = name;
    }
  }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  const json* object_;
  std::string wrong_;
};

Error bad_file(const std::string& path, const std::string& what) {
  return refuse(Code::bad_folder,
                what,
                "it was made by `lockstep up`, `run` or `provide`; make it again",
                path);
}

Result<json> read_json(env::Files& files, const std::string& path, const char* format) {
  const Bytes bytes = TRY(files.read(path, file_bytes_max));
  json read = json::parse(bytes, nullptr, false);
  if (!read.is_object() || read.value("format", json()) != format) {
    return bad_file(path, std::string("this is no file of the format ") + format);
  }
  return read;
}

std::optional<NodeRole> role_named(const std::string& name) {
  for (const NodeRole role :
       {NodeRole::ledger, NodeRole::requester, NodeRole::provider, NodeRole::auditor}) {
    if (name == name_of(role)) {
      return role;
    }
  }
  return std::nullopt;
}

NodeRole read_role(Fields& fields) {
  const auto role = role_named(fields.text("role"));
  if (!role) {
    fields.fail("role");
  }
  return role.value_or(NodeRole::provider);
}

json to_json(const LedgerPlace& place) {
  return {{"address", text_of(place.address)}, {"node", hex_of(place.node)}};
}

LedgerPlace read_place(Fields& fields) {
  const json* const place = fields.find("ledger");
  if (place == nullptr || !place->is_object()) {
    fields.fail("ledger");
    return {};
  }
  Fields inner(*place);
  LedgerPlace read{inner.address("address"), inner.key("node")};
  if (!inner.wrong().empty()) {
    fields.fail("ledger");
  }
  return read;
}

json to_json(const node::Machine& machine) {
  return {{"name", machine.name},
          {"price_per_unit", machine.price_per_unit.print()},
          {"operations_per_second", machine.operations_per_second},
          {"memory_bytes", machine.memory_bytes},
          {"cpus", machine.cpus},
          {"device_class", machine.device_class},
          {"region", machine.region}};
}

std::optional<node::Machine> read_machine(Fields& fields) {
  const json* const object = fields.find("machine");
  if (object == nullptr) {
    return std::nullopt;
  }
  Fields inner(*object);
  node::Machine machine;
  machine.name = inner.text("name");
  const auto price = Amount::parse(inner.text("price_per_unit"));
  machine.operations_per_second = inner.number("operations_per_second");
  machine.memory_bytes = inner.number("memory_bytes");
  machine.cpus = static_cast<uint32_t>(inner.number("cpus"));
  machine.device_class = inner.text("device_class");
  machine.region = inner.text("region");
  if (!price.ok() || !inner.wrong().empty()) {
    fields.fail("machine");
    return std::nullopt;
  }
  machine.price_per_unit = *price;
  return machine;
}

json to_json(const model::Slice& slice) {
  return {{"cpus", slice.cpus},
          {"memory_bytes", slice.memory_bytes},
          {"disk_bytes", slice.disk_bytes},
          {"gpus", slice.gpus},
          {"when", spec::text_of(slice.when)}};
}

std::optional<model::Slice> read_slice(Fields& fields) {
  const json* const object = fields.find("slice");
  if (object == nullptr) {
    return std::nullopt;
  }
  Fields inner(*object);
  model::Slice slice;
  slice.cpus = static_cast<uint32_t>(inner.number("cpus"));
  slice.memory_bytes = inner.number("memory_bytes");
  slice.disk_bytes = inner.number("disk_bytes");
  slice.gpus = static_cast<uint32_t>(inner.number("gpus"));
  auto when = spec::parse_when(inner.text("when"), "when");
  if (!when.ok() || !inner.wrong().empty()) {
    fields.fail("slice");
    return std::nullopt;
  }
  slice.when = std::move(when).value();
  return slice;
}

}  // namespace

const char* name_of(NodeRole role) {
  switch (role) {
    case NodeRole::ledger:
      return "ledger";
    case NodeRole::requester:
      return "requester";
    case NodeRole::provider:
      return "provider";
    case NodeRole::auditor:
      return "auditor";
  }
  return "unknown";
}

std::string text_of(const env::Address& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

Result<env::Address> parse_address(const std::string& text) {
  const Error bad = refuse(Code::bad_address,
                           "\"" + text + "\" is no address",
                           "write HOST:PORT, such as 192.0.2.7:4100 or [2001:db8::1]:4100");
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || text.size() > 300) {
    return bad;
  }
  env::Address address{text.substr(0, colon), 0};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || stop != end) {
    return bad;
  }
  if (address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return bad;
  }
  return address.host.empty() ? Result<env::Address>(bad) : Result<env::Address>(address);
}

std::string write_node_file(const NodeFile& file) {
  json written = {{"format", node_format},
                  {"name", file.name},
                  {"role", name_of(file.role)},
                  {"genesis", hex_of_record(file.genesis)},
                  {"ledger", to_json(file.ledger)},
                  {"owner", hex_of(file.owner)},
                  {"threads", file.threads},
                  {"dry_run", file.dry_run}};
  if (file.listen) {
    written["listen"] = text_of(*file.listen);
  }
  if (file.cheat) {
    written["cheat"] = *file.cheat;
  }
  if (file.machine) {
    written["machine"] = to_json(*file.machine);
  }
  if (file.slice) {
    written["slice"] = to_json(*file.slice);
  }
  json first = json::array();
  for (const model::Signed& transaction : file.first) {
    first.push_back(hex_of_record(transaction));
  }
  written["first"] = std::move(first);
  json names = json::object();
  for (const auto& [key, name] : file.names) {
    names[hex_of(key)] = name;
  }
  written["names"] = std::move(names);
  return written.dump(2) + "\n";
}

Result<NodeFile> read_node_file(env::Files& files, const std::string& path) {
  const json read = TRY(read_json(files, path, node_format));
  Fields fields(read);
  NodeFile file;
  file.name = fields.text("name");
  file.role = read_role(fields);
  file.genesis = fields.record_of<model::Genesis>("genesis", fields.text("genesis"));
  file.ledger = read_place(fields);
  file.owner = fields.key("owner");
  file.threads = static_cast<int>(std::clamp<uint64_t>(fields.number("threads"), 1, 256));
  if (fields.find("listen") != nullptr) {
    file.listen = fields.address("listen");
  }
  if (fields.find("cheat") != nullptr) {
    file.cheat = fields.text("cheat");
  }
  file.machine = read_machine(fields);
  file.slice = read_slice(fields);
  if (const json* const first = fields.find("first"); first != nullptr && first->is_array()) {
    for (const json& hex : *first) {
      file.first.push_back(fields.record_of<model::Signed>(
          "first", hex.is_string() ? hex.get<std::string>() : std::string("?")));
    }
  }
  if (const json* const names = fields.find("names"); names != nullptr && names->is_object()) {
    for (const auto& [hex, name] : names->items()) {
      file.names[fields.key_of("names", hex)] = name.is_string() ? name.get<std::string>() : "";
    }
  }
  file.dry_run = read.value("dry_run", json(false)) == true;
  if (!fields.wrong().empty()) {
    return bad_file(path, "its field \"" + fields.wrong() + "\" is missing or wrong");
  }
  return file;
}

std::string write_network_file(const NetworkFile& file) {
  json members = json::array();
  for (const Member& member : file.members) {
    members.push_back({{"name", member.name},
                       {"role", name_of(member.role)},
                       {"node", hex_of(member.node)},
                       {"owner", hex_of(member.owner)}});
  }
  json written = {{"format", network_format},
                  {"genesis", hex_of_record(file.genesis)},
                  {"ledger", to_json(file.ledger)},
                  {"members", std::move(members)}};
  if (file.demo) {
    written["demo"] = {{"killed", file.demo->killed}, {"round", file.demo->round}};
  }
  return written.dump(2) + "\n";
}

Result<NetworkFile> read_network_file(env::Files& files, const std::string& path) {
  const json read = TRY(read_json(files, path, network_format));
  Fields fields(read);
  NetworkFile file;
  file.genesis = fields.record_of<model::Genesis>("genesis", fields.text("genesis"));
  file.ledger = read_place(fields);
  if (const json* const members = fields.find("members");
      members != nullptr && members->is_array()) {
    for (const json& member : *members) {
      Fields inner(member);
      file.members.push_back(
          {inner.text("name"), read_role(inner), inner.key("node"), inner.key("owner")});
      if (!inner.wrong().empty()) {
        fields.fail("members");
      }
    }
  }
  if (const json* const demo = fields.find("demo"); demo != nullptr && demo->is_object()) {
    Fields inner(*demo);
    file.demo = DemoPlan{inner.text("killed"), static_cast<uint32_t>(inner.number("round"))};
  }
  if (!fields.wrong().empty()) {
    return bad_file(path, "its field \"" + fields.wrong() + "\" is missing or wrong");
  }
  return file;
}

}  // namespace lockstep::apps
