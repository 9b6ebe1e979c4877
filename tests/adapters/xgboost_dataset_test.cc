#include <cmath>
#include <limits>

#include "adapters/xgboost/csv_dataset.h"
#include "adapters/xgboost/dataset.h"
#include "tests/adapters/xgboost_helpers.h"

namespace pons::xgb {
namespace {

Dataset read(const json& args, Missing missing = Missing::refuse) {
  return read_dataset(Arguments(args), Catalogue(PONS_XGBOOST_DATA), missing);
}

TEST(Dataset, BundledOnesAreAsTheCatalogueSays) {
  const json list = Catalogue(PONS_XGBOOST_DATA).describe();
  ASSERT_EQ(list.size(), 2u);
  for (const json& entry : list) {
    const Dataset data = read({{"dataset", entry["name"]}});
    EXPECT_EQ(data.name, entry["name"]);
    EXPECT_EQ(data.table.rows, entry["rows"]);
    EXPECT_EQ(data.table.columns, entry["features"]);
    EXPECT_EQ(data.table.values.size(), data.table.rows * data.table.columns);
    EXPECT_EQ(data.labels.values.size(), data.table.rows);
    EXPECT_EQ(data.feature_names.size(), data.table.columns);
    EXPECT_EQ(make_target(data.labels, std::nullopt).classes.size(), entry["classes"]);
    EXPECT_FALSE(entry["licence"].get<std::string>().empty());
    EXPECT_FALSE(entry["source"].get<std::string>().empty());
  }
}

TEST(Dataset, IrisIsFishers) {
  const Dataset iris = read({{"dataset", "iris"}});
  const auto last = iris.table.row(149);
  EXPECT_EQ(std::vector<float>(last.begin(), last.end()), (std::vector<float>{5.9F, 3.0F, 5.1F, 1.8F}));
  EXPECT_EQ(iris.labels.values[149], "virginica");
  // The two rows in which UCI's file departs from the paper.
  EXPECT_EQ(iris.table.row(34)[3], 0.2F);
  EXPECT_EQ(iris.table.row(37)[1], 3.6F);
}

TEST(Dataset, UnknownNameIsAnErrorWithTheNearest) {
  const Error error = error_of([] { read({{"dataset", "digit"}}); });
  EXPECT_EQ(error.code, ErrorCode::invalid_args);
  EXPECT_NE(error.message.find("did you mean \"digits\"?"), std::string::npos) << error.message;
  EXPECT_EQ(path_of(error), "/dataset");
}

TEST(Dataset, TakesExactlyOneSource) {
  EXPECT_EQ(error_of([] { read(json::object()); }).code, ErrorCode::invalid_args);
  EXPECT_EQ(path_of(error_of([] { read({{"dataset", "iris"}, {"rows", json::array()}}); })), "/rows");
  EXPECT_EQ(path_of(error_of([] { read({{"csv", "x"}, {"labels", json::array()}}); })), "/labels");
}

TEST(Dataset, RowsGiven) {
  const Dataset data = read({{"rows", {{1, 2.5}, {3, 4}}}, {"labels", {"a", "b"}}});
  EXPECT_EQ(data.table.values, (std::vector<float>{1, 2.5, 3, 4}));
  EXPECT_EQ(data.feature_names, (std::vector<std::string>{"f0", "f1"}));
  const Dataset named = read({{"rows", {{1, 2}}}, {"labels", {0}}, {"feature_names", {"x", "y"}}});
  EXPECT_EQ(named.feature_names, (std::vector<std::string>{"x", "y"}));
}

TEST(Dataset, RowsOfWrongShapeAreNamed) {
  const auto rows_error = [](const json& rows) { return error_of([&] { read({{"rows", rows}, {"labels", {1, 2}}}); }); };
  EXPECT_EQ(rows_error({{1, 2}, {3}}).message, "Row 1 has 1 value, row 0 has 2");
  EXPECT_EQ(path_of(rows_error({{1, 2}, {3}})), "/rows/1");
  EXPECT_EQ(path_of(rows_error({{1, 2}, {3, "x"}})), "/rows/1/1");
  EXPECT_EQ(path_of(rows_error({{1, 2}, {true, 3}})), "/rows/1/0");
  EXPECT_EQ(path_of(rows_error({{1, 2}, 7})), "/rows/1");
  EXPECT_EQ(path_of(rows_error({{1, 1e39}, {1, 2}})), "/rows/0/1");
  EXPECT_EQ(path_of(rows_error({{1, std::numeric_limits<double>::infinity()}, {1, 2}})), "/rows/0/1");
  EXPECT_EQ(path_of(rows_error(json::array())), "/rows");
  EXPECT_EQ(path_of(rows_error({json::array(), json::array()})), "/rows/0");
  EXPECT_EQ(path_of(rows_error("text")), "/rows");
}

TEST(Dataset, AFloodOfMistakesIsCutShort) {
  const json rows(1000, json::array({"x"}));
  const Error error = error_of([&] { read({{"rows", rows}, {"labels", json(1000, 1)}}); });
  EXPECT_EQ(error.details["errors"].size(), Complaints::kMax);
}

TEST(Dataset, MissingValuesOnlyWhereAllowed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const json& hole : {json(nullptr), json(nan)}) {
    const json args{{"rows", {{1, hole}, {2, 3}}}, {"labels", {0, 1}}};
    const Error error = error_of([&] { read(args); });
    EXPECT_EQ(path_of(error), "/rows/0/1");
    EXPECT_NE(error.message.find("missing: \"allow\""), std::string::npos);
    EXPECT_TRUE(std::isnan(read(args, Missing::allow).table.values[1]));
  }
}

TEST(Dataset, LabelsMustBeOneForEachRow) {
  EXPECT_EQ(path_of(error_of([] { read({{"rows", {{1}, {2}}}}); })), "/labels");
  EXPECT_EQ(error_of([] { read({{"rows", {{1}, {2}}}, {"labels", {1}}}); }).details["errors"][0]["expected"], 2);
  EXPECT_EQ(path_of(error_of([] { read({{"rows", {{1}}}, {"labels", {1}}, {"feature_names", {"a", "b"}}}); })), "/feature_names");
}

class CsvDataset : public testing::Test {
 protected:
  Dataset read_text(std::string_view text, json more = json::object(), Missing missing = Missing::refuse) {
    more["csv"] = folder_.file("data.csv", text);
    return read(more, missing);
  }
  Error error_in(std::string_view text, const json& more = json::object()) {
    return error_of([&] { read_text(text, more); });
  }
  TempFolder folder_;
};

TEST_F(CsvDataset, FindsTheHeaderOut) {
  const Dataset with = read_text("x,y,kind\n1,2,a\n3,4,b\n");
  EXPECT_EQ(with.feature_names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(with.table.rows, 2u);
  const Dataset without = read_text("1,2,a\n3,4,b\n");
  EXPECT_EQ(without.feature_names, (std::vector<std::string>{"f0", "f1"}));
  EXPECT_EQ(without.table.rows, 2u);
  EXPECT_EQ(read_text("1,2,k\n3,4,b\n", {{"header", true}}).feature_names, (std::vector<std::string>{"1", "2"}));
}

TEST_F(CsvDataset, LabelByNameOrIndex) {
  const char* text = "x,kind,y\n1,7,2\n3,8,4\n";
  EXPECT_EQ(read_text(text, {{"label", "kind"}}).labels.values, (std::vector<json>{7, 8}));
  EXPECT_EQ(read_text(text, {{"label", 0}}).labels.values, (std::vector<json>{1, 3}));
  EXPECT_EQ(read_text(text, {{"label", -2}}).feature_names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(path_of(error_in(text, {{"label", "knd"}})), "/label");
  EXPECT_EQ(path_of(error_in(text, {{"label", 3}})), "/label");
  EXPECT_EQ(path_of(error_in("1,2\n3,4\n", {{"label", "x"}})), "/label");
}

TEST_F(CsvDataset, TypesLabelsByTheWholeColumn) {
  EXPECT_EQ(read_text("1,7\n2,8\n").labels.values, (std::vector<json>{7, 8}));
  EXPECT_EQ(read_text("1,7\n2,8.5\n").labels.values, (std::vector<json>{7.0, 8.5}));
  EXPECT_EQ(read_text("1,7\n2,8a\n").labels.values, (std::vector<json>{"7", "8a"}));
}

TEST_F(CsvDataset, ErrorsNameLineAndColumn) {
  EXPECT_NE(error_in("x,y,k\n1,2,a\n1,b,c\n").message.find("line 3, column 2 (y)"), std::string::npos);
  EXPECT_NE(error_in("x,y,k\n1,2,a\n1,b\n").message.find("line 3 has 2 columns, the first line has 3"), std::string::npos);
  EXPECT_NE(error_in("x,y,k\n1,2,\n").message.find("line 2 has no label"), std::string::npos);
  EXPECT_NE(error_in("x,k\n,a\n").message.find("missing"), std::string::npos);
  EXPECT_NE(error_in("x,k\n1e39,a\n").message.find("not a finite number"), std::string::npos);
  EXPECT_NE(error_in("").message.find("is empty"), std::string::npos);
  EXPECT_NE(error_in("a;b\n1;2\n").message.find("separated by commas"), std::string::npos);
  EXPECT_NE(error_in("x,k\n").message.find("no rows"), std::string::npos);
  EXPECT_NE(error_in("x,k\n1,\"a\n").message.find("never closed"), std::string::npos);
}

TEST_F(CsvDataset, MissingCellsWhereAllowed) {
  const Dataset data = read_text("x,y,k\n1,,a\nNA,?,b\n", json::object(), Missing::allow);
  EXPECT_TRUE(std::isnan(data.table.values[1]));
  EXPECT_TRUE(std::isnan(data.table.values[2]));
  EXPECT_EQ(data.table.values[0], 1.0F);
}

TEST_F(CsvDataset, FilesThatCannotBeRead) {
  for (const std::string& path : {folder_.path("absent.csv"), folder_.path(""), std::string("/dev/zero")}) {
    const Error error = error_of([&] { read({{"csv", path}}); });
    EXPECT_EQ(error.code, ErrorCode::invalid_args);
    EXPECT_EQ(path_of(error), "/csv");
    EXPECT_NE(error.message.find(path), std::string::npos);
  }
}

}  // namespace
}  // namespace pons::xgb
