#include "apps/provide_file.h"

#include <algorithm>

#include "platform/data_dir.h"
#include "platform/files.h"
#include "spec/when.h"

namespace lockstep::apps {
namespace {

using nlohmann::json;

constexpr const char* format = "lockstep-provide-1";
constexpr size_t file_bytes_max = 65'536;

Error bad_file(const std::string& path, const std::string& field) {
  return refuse(Code::bad_folder,
                "its field \"" + field + "\" is missing or wrong",
                "delete it, and say again what `lockstep provide` shall lend",
                path);
}

/// Nothing where there is no such file.
Result<std::optional<std::string>> text_of_file(const std::string& path) {
  platform::Files files;
  const auto bytes = files.read(path, file_bytes_max);
  if (!bytes.ok() && bytes.error().code == Code::file_not_found) {
    return std::optional<std::string>();
  }
  const Bytes found = TRY(bytes);
  return std::optional<std::string>(std::string(found.begin(), found.end()));
}

Result<void> write_text(const std::string& path, const std::string& text) {
  platform::Files files;
  return files.write(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

std::optional<std::string> text_field(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? std::optional(found->get<std::string>())
                                                     : std::nullopt;
}

std::optional<model::Benchmark> benchmark_in(const json& object) {
  const auto bytes = from_hex(text_field(object, "benchmark").value_or(""));
  const auto read = bytes.ok() ? codec::decode<model::Benchmark>(*bytes)
                               : Result<model::Benchmark>(bytes.error());
  return read.ok() ? std::optional(*read) : std::nullopt;  // it is only measured again
}

}  // namespace

std::string write_provide_file(const ProvideFile& file) {
  json written = {{"format", format},
                  {"name", file.name},
                  {"wallet", file.wallet},
                  {"owner", to_hex(file.owner.bytes)},
                  {"stake", file.stake.print()}};
  const auto put = [&](const char* name, const std::optional<std::string>& text) {
    if (text) {
      written[name] = *text;
    }
  };
  put("price", file.price.price);
  put("power_watts", file.price.power_watts);
  put("power_cost", file.price.power_cost);
  if (file.benchmark) {
    written["benchmark"] = to_hex(codec::encode(*file.benchmark));
  }
  return written.dump(2) + "\n";
}

Result<std::optional<ProvideFile>> read_provide_file(const std::string& folder) {
  const std::string path = folder + "/" + provide_file_name;
  const auto text = TRY(text_of_file(path));
  if (!text) {
    return std::optional<ProvideFile>();
  }
  const json read = json::parse(*text, nullptr, false);
  if (!read.is_object() || text_field(read, "format") != format) {
    return bad_file(path, "format");
  }
  ProvideFile file;
  const auto owner = from_hex(text_field(read, "owner").value_or(""));
  const auto stake = Amount::parse(text_field(read, "stake").value_or(""));
  if (!owner.ok() || owner->size() != file.owner.bytes.size()) {
    return bad_file(path, "owner");
  }
  if (!stake.ok()) {
    return bad_file(path, "stake");
  }
  std::copy(owner->begin(), owner->end(), file.owner.bytes.begin());
  file.stake = *stake;
  file.name = text_field(read, "name").value_or("");
  file.wallet = text_field(read, "wallet").value_or("");
  file.price = {
      text_field(read, "price"), text_field(read, "power_watts"), text_field(read, "power_cost")};
  file.benchmark = benchmark_in(read);
  return std::optional<ProvideFile>(file);
}

Result<void> save(const std::string& folder, const ProvideFile& file) {
  return write_text(folder + "/" + provide_file_name, write_provide_file(file));
}

Result<std::optional<model::Slice>> read_slice(const std::string& folder,
                                               const model::MachineSize& machine) {
  const std::string path = folder + "/" + slice_file_name;
  const auto text = TRY(text_of_file(path));
  if (!text) {
    return std::optional<model::Slice>();
  }
  return std::optional<model::Slice>(TRY(spec::parse_slice_file(*text, path, machine)));
}

Result<void> save(const std::string& folder, const model::Slice& slice) {
  return write_text(folder + "/" + slice_file_name, spec::slice_file(slice));
}

spec::SliceFlags flags_of(const model::Slice& slice) {
  return {std::to_string(slice.cpus),
          spec::size_text(slice.memory_bytes),
          spec::size_text(slice.disk_bytes),
          slice.gpus == 0 ? "none" : std::to_string(slice.gpus),
          spec::text_of(slice.when)};
}

spec::SliceFlags merged(const spec::SliceFlags& said, const spec::SliceFlags& kept) {
  return {said.cpus ? said.cpus : kept.cpus,
          said.memory ? said.memory : kept.memory,
          said.disk ? said.disk : kept.disk,
          said.gpu ? said.gpu : kept.gpu,
          said.when ? said.when : kept.when};
}

spec::PriceFlags merged(const spec::PriceFlags& said, const spec::PriceFlags& kept) {
  const bool power_said = said.power_watts || said.power_cost;
  return {said.price ? said.price : kept.price,
          power_said ? said.power_watts : kept.power_watts,
          power_said ? said.power_cost : kept.power_cost};
}

Result<std::string> provider_folder(const std::string& chosen) {
  return chosen.empty() ? platform::default_network_folder("provider")
                        : Result<std::string>(chosen);
}

}  // namespace lockstep::apps
