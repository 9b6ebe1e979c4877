#include "adapters/xgboost/csv.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

using Cells = std::vector<std::string>;

std::vector<Cells> read_all(std::string_view text) {
  CsvReader reader(text);
  std::vector<Cells> records;
  for (Cells cells; reader.next(cells);) records.push_back(cells);
  return records;
}

TEST(Csv, ReadsPlainRecordsWithAnyLineEnd) {
  const std::vector<Cells> expected{{"a", "b"}, {"1", "2"}};
  EXPECT_EQ(read_all("a,b\n1,2\n"), expected);
  EXPECT_EQ(read_all("a,b\r\n1,2\r\n"), expected);
  EXPECT_EQ(read_all("\xEF\xBB\xBF"
                     "a,b\n\n 1 ,\t2"),
            expected);
}

TEST(Csv, KeepsEmptyCells) { EXPECT_EQ(read_all("1,,\n,,3\n"), (std::vector<Cells>{{"1", "", ""}, {"", "", "3"}})); }

TEST(Csv, ReadsQuotedCells) {
  EXPECT_EQ(read_all("\"a,b\",\"c \"\"d\"\"\",\"e\nf\", \"g\" \n1"), (std::vector<Cells>{{"a,b", "c \"d\"", "e\nf", "g"}, {"1"}}));
}

TEST(Csv, CountsLinesInsideQuotesToo) {
  CsvReader reader("\"a\nb\",1\n\nc,2\n");
  Cells cells;
  ASSERT_TRUE(reader.next(cells));
  EXPECT_EQ(reader.line(), 1u);
  ASSERT_TRUE(reader.next(cells));
  EXPECT_EQ(cells[0], "c");
  EXPECT_EQ(reader.line(), 4u);
  EXPECT_FALSE(reader.next(cells));
  EXPECT_FALSE(reader.unterminated());
}

TEST(Csv, NoticesAQuoteThatIsNeverClosed) {
  CsvReader reader("1,\"abc\n2,3\n");
  for (Cells cells; reader.next(cells);) {
  }
  EXPECT_TRUE(reader.unterminated());
}

TEST(Csv, NumbersAreWholeCells) {
  double number = 0;
  EXPECT_TRUE(parse_number("-1.5e3", number));
  EXPECT_DOUBLE_EQ(number, -1500);
  EXPECT_TRUE(parse_number("+2", number));
  for (const char* text : {"", "1x", "x", "1 2", "1,5"}) EXPECT_FALSE(parse_number(text, number)) << text;
}

}  // namespace
}  // namespace pons::xgb
