"""A bridge in the classic style, as one would have been written for another host: nothing in it knows of Pons."""

import argparse
import collections
import time

from base_bridge import BaseBridge


class WordsBridge(BaseBridge):
    def __init__(self, mode="standalone", worker_id=None):
        self.documents = {}
        super().__init__(mode, worker_id)

    def _initialize_framework(self):
        self.stop_words = {"the", "a", "of"}
        print("framework is ready")

    def _register_handlers(self):
        return {
            "create_document": self.create_document,
            "count_words": self.count_words,
            "who": self.who,
            "fail": self.fail,
        }

    def get_framework_info(self):
        return {"name": "words", "version": "2.1", "capabilities": ["counting"], "stop_words": sorted(self.stop_words)}

    def create_document(self, args):
        """Keep a text."""
        name = f"document-{len(self.documents) + 1}"
        self.documents[name] = args["text"]
        return {"resource_id": name, "length": len(args["text"])}

    def count_words(self, args: dict) -> dict:
        """Count the words of a text that is kept."""
        words = self.documents[args["resource_id"]].split()
        counts = collections.Counter(word for word in words if word not in self.stop_words)
        return {"counts": dict(counts), "elapsed": time.time() - self.start_time}

    def who(self, args):
        return {"mode": self.mode, "worker_id": self.worker_id, "handlers": sorted(self._handlers)}

    def fail(self, args):
        raise ValueError("Cannot " + args.get("what", "do it"))

    def ping(self, args):
        return {"framework": "words"}

    def cleanup(self, args):
        count = len(self.documents)
        self.documents.clear()
        return {"documents_removed": count}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="standalone", choices=["standalone", "pool-worker"])
    parser.add_argument("--worker-id")
    arguments = parser.parse_args()
    WordsBridge(mode=arguments.mode, worker_id=arguments.worker_id).run()


if __name__ == "__main__":
    main()
