#include "node/results_table.h"

#include <bit>

namespace lockstep::node {
namespace {

std::optional<Bytes> scalar(const model::TensorRef& tensor, law::DType type, store::Blobs& blobs) {
  auto bytes = blobs.get(tensor.data);
  const auto size = static_cast<size_t>(law::Shape{type, {}}.bytes());
  return bytes.ok() && bytes->size() == size ? std::optional(std::move(bytes).value())
                                             : std::nullopt;
}

std::optional<double> number(const plan::Measured& measured, store::Blobs& blobs) {
  const auto bytes = scalar(measured.tensor, measured.type, blobs);
  if (!bytes) {
    return std::nullopt;
  }
  const uint64_t bits = law::load_bits(measured.type, *bytes, 0);
  if (measured.type == law::DType::f32) {
    return measured.scale * static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  if (measured.type == law::DType::i64) {
    return measured.scale * static_cast<double>(static_cast<int64_t>(bits));
  }
  return std::nullopt;
}

}  // namespace

TableTold read_table(const plan::ResultsTable& table, store::Blobs& blobs) {
  TableTold told{table.columns, {}, std::nullopt};
  told.rows.reserve(table.rows.size());
  for (const auto& row : table.rows) {
    auto& cells = told.rows.emplace_back();
    cells.reserve(row.size());
    for (const auto& cell : row) {
      const auto* const measured = std::get_if<plan::Measured>(&cell);
      if (measured == nullptr) {
        cells.emplace_back(std::get<std::string>(cell));
      } else if (const auto value = number(*measured, blobs)) {
        cells.emplace_back(TableNumber{*value, measured->decimals});
      } else {
        cells.emplace_back("?");
      }
    }
  }
  const auto chosen = table.chosen ? scalar(*table.chosen, law::DType::i64, blobs) : std::nullopt;
  if (chosen) {
    told.chosen = law::load_bits(law::DType::i64, *chosen, 0);
  }
  return told;
}

}  // namespace lockstep::node
