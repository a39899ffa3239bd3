"""`python -P -m scaling_bench VERB …`: the command `bench`."""

from scaling_bench import main

if __name__ == "__main__":
    main()
