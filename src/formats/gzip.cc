// Unpacks gzip through zlib: sizes are compared with the bound before memory is taken.
#include "formats/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "base/check.h"

namespace lockstep::formats {
namespace {

constexpr size_t first_bytes = size_t{1} << 16;
// zlib counts in unsigned int, so long inputs and outputs are handed over in pieces.
constexpr size_t piece_bytes = size_t{1} << 30;
constexpr int gzip_only = 15 + 16;  // the largest window; refuses zlib and raw deflate headers

Error bad(std::string what) {
  return refuse(Code::bad_gzip, std::move(what), "Fetch the file again or pack it with gzip");
}

class Inflater {
 public:
  explicit Inflater(ByteView bytes) : left_(bytes) {}
  ~Inflater() {
    if (open_) {
      inflateEnd(&stream_);
    }
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Result<Bytes> run(size_t bytes_max) {
    const int opened = inflateInit2(&stream_, gzip_only);
    if (opened != Z_OK) {
      return Error{Code::internal, {}, "zlib could not be started", "Retry with more memory"};
    }
    open_ = true;
    Bytes out;
    size_t made = 0;
    while (true) {
      // One byte of room beyond the bound tells a file of exactly bytes_max from a longer one.
      if (made == out.size()) {
        out.resize(next_size(made, bytes_max));
      }
      const int status = step(std::span(out).subspan(made));
      made = out.size() - room_;
      if (made > bytes_max) {
        return bad("unpacks to more than " + std::to_string(bytes_max) + " bytes");
      }
      if (status == Z_STREAM_END) {
        break;
      }
      if (status != Z_OK && status != Z_BUF_ERROR) {
        return bad(stream_.msg != nullptr ? stream_.msg : "not a gzip file");
      }
      if (room_ > 0 && left_.empty()) {
        return bad("ends before its end mark");
      }
    }
    if (!left_.empty()) {
      return bad(std::to_string(left_.size()) + " bytes after the end mark");
    }
    out.resize(made);
    return out;
  }

 private:
  static size_t next_size(size_t made, size_t bytes_max) {
    const size_t wanted = made == 0 ? first_bytes : 2 * made;
    return bytes_max < wanted ? bytes_max + 1 : wanted;
  }

  int step(std::span<uint8_t> out) {
    const size_t in_piece = std::min(left_.size(), piece_bytes);
    const size_t out_piece = std::min(out.size(), piece_bytes);
    // zlib only reads it.
    stream_.next_in = const_cast<Bytef*>(left_.data());  // NOLINT(*-pro-type-const-cast)
    stream_.avail_in = static_cast<uInt>(in_piece);
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(out_piece);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    left_ = left_.subspan(in_piece - stream_.avail_in);
    room_ = out.size() - (out_piece - stream_.avail_out);
    return status;
  }

  z_stream stream_{};
  bool open_ = false;
  ByteView left_;
  size_t room_ = 0;  // bytes of the output buffer not yet written
};

}  // namespace

Result<Bytes> gunzip(ByteView bytes, size_t bytes_max) {
  CHECK(bytes_max < SIZE_MAX / 4);
  return Inflater(bytes).run(bytes_max);
}

}  // namespace lockstep::formats
