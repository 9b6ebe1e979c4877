// A descriptor that results go to. Nothing is buffered, so that every line is there when it was written.
#pragma once

#include <string>
#include <string_view>

namespace pons::cli {

class Output {
 public:
  /// `fd` is borrowed. Colour is for terminals, unless NO_COLOR is set to something.
  Output(int fd, bool no_colour);

  /// Writes all of it, unless an earlier write failed.
  void write(std::string_view text);

  [[nodiscard]] bool terminal() const { return terminal_; }
  [[nodiscard]] bool colour() const { return colour_; }
  /// The reader has gone away (as `head` does): not worth a word.
  [[nodiscard]] bool reader_gone() const;
  /// Why something could not be written; empty if all was, or the reader has gone.
  [[nodiscard]] std::string failure() const;
  [[nodiscard]] bool good() const { return error_ == 0; }

 private:
  int fd_;
  bool terminal_;
  bool colour_;
  int error_ = 0;  // errno of the first failed write
};

}  // namespace pons::cli
