-- made by loan_pipeline.features.compiled 7dfe917ced0eb42ba94e34478b355b6a8076a40ee64e77c53185b7602323cb13
WITH "t42" AS (
  SELECT
    "t35"."account_id",
    "t35"."as_of_date",
    "t35"."days_before",
    "t35"."amount",
    "t35"."balance",
    "t35"."credit",
    "t35"."income",
    "t35"."cash",
    COALESCE(
      LEAD("t35"."days_before") OVER (
        PARTITION BY "t35"."account_id", "t35"."as_of_date"
        ORDER BY (
          "t35"."days_before" * 2
        ) + CAST("t35"."credit" AS BIGINT) DESC, CASE WHEN "t35"."credit" THEN "t35"."balance" ELSE -(
          "t35"."balance"
        ) END ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ),
      0
    ) AS "until_day"
  FROM (
    SELECT
      "t23"."account_id",
      "t23"."as_of_date",
      "t26"."amount",
      "t26"."balance",
      "t26"."credit",
      "t26"."income",
      "t26"."cash",
      "t26"."transfer",
      "t26"."penalty",
      "t26"."recipient",
      DATE_DIFF('DAY', "t26"."date", "t23"."as_of_date") AS "days_before"
    FROM (
      SELECT DISTINCT
        *
      FROM (
        SELECT
          "t0"."account_id",
          "t0"."date" AS "as_of_date"
        FROM "loan" AS "t0"
      ) AS "t9"
    ) AS "t23"
    INNER JOIN (
      SELECT
        "t4"."account_id",
        "t4"."date",
        "t4"."amount",
        "t4"."balance",
        "t4"."type" = 'PRIJEM' AS "credit",
        (
          "t4"."type" = 'PRIJEM'
        )
        AND NOT (
          "t4"."k_symbol" IS NOT DISTINCT FROM 'UROK'
        ) AS "income",
        "t4"."operation" = 'VYBER' AS "cash",
        "t4"."operation" = 'PREVOD NA UCET' AS "transfer",
        "t4"."k_symbol" = 'SANKC. UROK' AS "penalty",
        "t4"."account" AS "recipient"
      FROM "trans" AS "t4"
    ) AS "t26"
      ON "t23"."account_id" = "t26"."account_id"
      AND "t26"."date" < "t23"."as_of_date"
      AND "t26"."date" >= CAST(CAST("t23"."as_of_date" AS TIMESTAMP) - INTERVAL '360' DAY AS DATE)
  ) AS "t35"
)
SELECT
  "t59"."loan_id",
  "t59"."account_id",
  "t59"."date",
  "t59"."status",
  "t59"."amount",
  "t59"."duration",
  "t59"."payments",
  "t59"."account_age_days",
  "t59"."statement_frequency",
  "t59"."order_amount_mean_czk",
  "t59"."transaction_amount_mean_czk",
  "t59"."balance_mean_czk",
  "t59"."transaction_count",
  "t59"."card_type",
  "t59"."district_salary_mean_czk",
  "t59"."gender",
  "t59"."age_years",
  "t59"."balance_last_czk",
  "t59"."balance_mean_90d_czk",
  "t59"."balance_min_90d_czk",
  "t59"."balance_low_mean_3m_czk",
  "t59"."balance_low_mean_6m_czk",
  "t59"."balance_low_std_12m_czk",
  "t59"."low_balance_share_90d",
  "t59"."low_balance_share_180d",
  "t59"."balance_below_zero_count",
  "t59"."penalty_interest_czk",
  "t59"."income_mean_6m_czk",
  "t59"."income_variation_6m",
  "t59"."income_regular_share_12m",
  "t59"."income_gap_share_12m",
  "t59"."days_since_income",
  "t59"."net_flow_mean_6m_czk",
  "t59"."net_flow_std_6m_czk",
  "t59"."net_flow_min_6m_czk",
  "t59"."debit_amount_mean_180d_czk",
  "t59"."cash_share_90d",
  "t59"."transfers_mean_monthly_czk",
  "t59"."transfer_recipient_count",
  "t59"."client_count",
  "t59"."balance_min_90d_to_payment",
  "t59"."balance_low_mean_3m_to_payment",
  "t59"."net_flow_mean_6m_to_payment"
FROM (
  SELECT
    "t58"."loan_id",
    "t58"."account_id",
    "t58"."date",
    CAST("t58"."amount" AS DOUBLE) AS "amount",
    CAST("t58"."duration" AS DOUBLE) AS "duration",
    "t58"."status",
    "t58"."as_of_date",
    "t58"."account_age_days",
    "t58"."statement_frequency",
    "t58"."order_amount_mean_czk",
    "t58"."transaction_amount_mean_czk",
    "t58"."balance_mean_czk",
    "t58"."transaction_count",
    "t58"."card_type",
    "t58"."district_salary_mean_czk",
    "t58"."gender",
    "t58"."age_years",
    "t58"."balance_last_czk",
    "t58"."balance_mean_90d_czk",
    "t58"."balance_min_90d_czk",
    "t58"."balance_low_mean_3m_czk",
    "t58"."balance_low_mean_6m_czk",
    "t58"."balance_low_std_12m_czk",
    "t58"."low_balance_share_90d",
    "t58"."low_balance_share_180d",
    "t58"."balance_below_zero_count",
    "t58"."penalty_interest_czk",
    "t58"."income_mean_6m_czk",
    "t58"."income_variation_6m",
    "t58"."income_regular_share_12m",
    "t58"."income_gap_share_12m",
    "t58"."days_since_income",
    "t58"."net_flow_mean_6m_czk",
    "t58"."net_flow_std_6m_czk",
    "t58"."net_flow_min_6m_czk",
    "t58"."debit_amount_mean_180d_czk",
    "t58"."cash_share_90d",
    "t58"."transfers_mean_monthly_czk",
    "t58"."transfer_recipient_count",
    "t58"."client_count",
    CAST("t58"."amount" AS DOUBLE) / CAST("t58"."duration" AS DOUBLE) AS "payments",
    "t58"."balance_min_90d_czk" / (
      CAST("t58"."amount" AS DOUBLE) / CAST("t58"."duration" AS DOUBLE)
    ) AS "balance_min_90d_to_payment",
    "t58"."balance_low_mean_3m_czk" / (
      CAST("t58"."amount" AS DOUBLE) / CAST("t58"."duration" AS DOUBLE)
    ) AS "balance_low_mean_3m_to_payment",
    "t58"."net_flow_mean_6m_czk" / (
      CAST("t58"."amount" AS DOUBLE) / CAST("t58"."duration" AS DOUBLE)
    ) AS "net_flow_mean_6m_to_payment"
  FROM (
    SELECT
      "t14"."loan_id",
      "t14"."account_id",
      "t14"."date",
      "t14"."amount",
      "t14"."duration",
      "t14"."status",
      "t14"."as_of_date",
      "t57"."account_age_days",
      "t57"."statement_frequency",
      "t57"."order_amount_mean_czk",
      "t57"."transaction_amount_mean_czk",
      "t57"."balance_mean_czk",
      "t57"."transaction_count",
      "t57"."card_type",
      "t57"."district_salary_mean_czk",
      "t57"."gender",
      "t57"."age_years",
      "t57"."balance_last_czk",
      "t57"."balance_mean_90d_czk",
      "t57"."balance_min_90d_czk",
      "t57"."balance_low_mean_3m_czk",
      "t57"."balance_low_mean_6m_czk",
      "t57"."balance_low_std_12m_czk",
      "t57"."low_balance_share_90d",
      "t57"."low_balance_share_180d",
      "t57"."balance_below_zero_count",
      "t57"."penalty_interest_czk",
      "t57"."income_mean_6m_czk",
      "t57"."income_variation_6m",
      "t57"."income_regular_share_12m",
      "t57"."income_gap_share_12m",
      "t57"."days_since_income",
      "t57"."net_flow_mean_6m_czk",
      "t57"."net_flow_std_6m_czk",
      "t57"."net_flow_min_6m_czk",
      "t57"."debit_amount_mean_180d_czk",
      "t57"."cash_share_90d",
      "t57"."transfers_mean_monthly_czk",
      "t57"."transfer_recipient_count",
      "t57"."client_count"
    FROM (
      SELECT
        "t0"."loan_id",
        "t0"."account_id",
        "t0"."date",
        "t0"."amount",
        "t0"."duration",
        "t0"."status",
        "t0"."date" AS "as_of_date"
      FROM "loan" AS "t0"
    ) AS "t14"
    INNER JOIN (
      SELECT
        "t23"."account_id",
        "t23"."as_of_date",
        DATE_DIFF('DAY', "t15"."opened_on", "t23"."as_of_date") AS "account_age_days",
        "t15"."statement_frequency",
        "t31"."order_amount_mean_czk",
        "t46"."transaction_amount_mean_czk",
        "t46"."balance_mean_czk",
        COALESCE("t46"."transaction_count", 0) AS "transaction_count",
        COALESCE("t43"."card_type", 'none') AS "card_type",
        "t40"."district_salary_mean_czk",
        "t40"."gender",
        CAST(DATE_DIFF('DAY', "t40"."birth_date", "t23"."as_of_date") AS DOUBLE) / 365.25 AS "age_years",
        "t51"."balance_last_czk",
        "t51"."balance_mean_90d_czk",
        "t51"."balance_min_90d_czk",
        "t55"."balance_low_mean_3m_czk",
        "t55"."balance_low_mean_6m_czk",
        "t55"."balance_low_std_12m_czk",
        "t51"."low_balance_share_90d",
        "t51"."low_balance_share_180d",
        COALESCE("t46"."balance_below_zero_count", 0) AS "balance_below_zero_count",
        COALESCE("t46"."penalty_interest_czk", 0) AS "penalty_interest_czk",
        "t55"."income_mean_6m_czk",
        "t55"."income_variation_6m",
        "t53"."income_regular_share_12m",
        "t55"."income_gap_share_12m",
        "t46"."days_since_income",
        "t55"."net_flow_mean_6m_czk",
        "t55"."net_flow_std_6m_czk",
        "t55"."net_flow_min_6m_czk",
        "t55"."debit_amount_mean_180d_czk",
        "t55"."cash_share_90d",
        "t46"."transfers_mean_monthly_czk",
        COALESCE("t46"."transfer_recipient_count", 0) AS "transfer_recipient_count",
        "t40"."client_count"
      FROM (
        SELECT DISTINCT
          *
        FROM (
          SELECT
            "t0"."account_id",
            "t0"."date" AS "as_of_date"
          FROM "loan" AS "t0"
        ) AS "t9"
      ) AS "t23"
      LEFT OUTER JOIN (
        SELECT
          "t1"."account_id",
          "t1"."frequency" AS "statement_frequency",
          "t1"."date" AS "opened_on"
        FROM "account" AS "t1"
      ) AS "t15"
        ON "t23"."account_id" = "t15"."account_id"
      LEFT OUTER JOIN (
        SELECT
          "t37"."account_id",
          "t37"."client_count",
          "t37"."gender",
          "t37"."birth_date",
          "t37"."district_salary_mean_czk"
        FROM (
          SELECT
            "t34"."account_id",
            "t34"."client_id",
            "t34"."client_count",
            "t34"."district_id",
            "t34"."gender",
            "t34"."birth_date",
            "t21"."district_id" AS "district_id_right",
            "t21"."district_salary_mean_czk"
          FROM (
            SELECT
              "t30".*
              EXCLUDE ("client_id_right")
            FROM (
              SELECT
                "t25"."account_id",
                "t25"."client_id",
                "t25"."client_count",
                "t19"."client_id" AS "client_id_right",
                "t19"."district_id",
                "t19"."gender",
                "t19"."birth_date"
              FROM (
                SELECT
                  "t5"."account_id",
                  MIN("t5"."client_id") FILTER(WHERE
                    "t5"."type" = 'OWNER') AS "client_id",
                  COUNT(DISTINCT "t5"."client_id") AS "client_count"
                FROM "disp" AS "t5"
                GROUP BY
                  1
              ) AS "t25"
              LEFT OUTER JOIN (
                SELECT
                  "t7"."client_id",
                  "t7"."district_id",
                  "t7"."gender",
                  "t7"."birth_date"
                FROM "client" AS "t7"
              ) AS "t19"
                ON "t25"."client_id" = "t19"."client_id"
            ) AS "t30"
          ) AS "t34"
          LEFT OUTER JOIN (
            SELECT
              "t3"."district_id",
              CAST("t3"."A11" AS DOUBLE) AS "district_salary_mean_czk"
            FROM "district" AS "t3"
          ) AS "t21"
            ON "t34"."district_id" = "t21"."district_id"
        ) AS "t37"
      ) AS "t40"
        ON "t23"."account_id" = "t40"."account_id"
      LEFT OUTER JOIN (
        SELECT
          "t16"."account_id",
          AVG(CAST("t16"."amount" * 100 AS BIGINT)) / 100 AS "order_amount_mean_czk"
        FROM (
          SELECT
            *
          FROM "order" AS "t2"
          WHERE
            "t2"."k_symbol" <> 'UVER'
        ) AS "t16"
        GROUP BY
          1
      ) AS "t31"
        ON "t23"."account_id" = "t31"."account_id"
      LEFT OUTER JOIN (
        SELECT
          "t38"."account_id",
          "t38"."as_of_date",
          CASE "t38"."level"
            WHEN 0
            THEN 'none'
            WHEN 1
            THEN 'junior'
            WHEN 2
            THEN 'classic'
            WHEN 3
            THEN 'gold'
            ELSE NULL
          END AS "card_type"
        FROM (
          SELECT
            "t36"."account_id",
            "t36"."as_of_date",
            MAX("t36"."level") AS "level"
          FROM (
            SELECT
              "t23"."account_id",
              "t23"."as_of_date",
              "t28"."account_id" AS "account_id_right",
              "t28"."issued",
              "t28"."level"
            FROM (
              SELECT DISTINCT
                *
              FROM (
                SELECT
                  "t0"."account_id",
                  "t0"."date" AS "as_of_date"
                FROM "loan" AS "t0"
              ) AS "t9"
            ) AS "t23"
            INNER JOIN (
              SELECT
                "t18"."account_id",
                "t8"."issued",
                CASE "t8"."type"
                  WHEN 'none'
                  THEN 0
                  WHEN 'junior'
                  THEN 1
                  WHEN 'classic'
                  THEN 2
                  WHEN 'gold'
                  THEN 3
                  ELSE NULL
                END AS "level"
              FROM "card" AS "t8"
              INNER JOIN (
                SELECT
                  "t5"."disp_id",
                  "t5"."account_id"
                FROM "disp" AS "t5"
              ) AS "t18"
                ON "t8"."disp_id" = "t18"."disp_id"
            ) AS "t28"
              ON "t23"."account_id" = "t28"."account_id" AND "t28"."issued" < "t23"."as_of_date"
          ) AS "t36"
          GROUP BY
            1,
            2
        ) AS "t38"
      ) AS "t43"
        ON "t23"."account_id" = "t43"."account_id"
        AND "t23"."as_of_date" = "t43"."as_of_date"
      LEFT OUTER JOIN (
        SELECT
          "t32"."account_id",
          "t32"."as_of_date",
          COUNT(*) AS "transaction_count",
          (
            CAST(CAST(SUM("t32"."amount") AS DECIMAL(18, 2)) * 100 AS BIGINT) / COUNT(*)
          ) / 100 AS "transaction_amount_mean_czk",
          (
            CAST(CAST(SUM("t32"."balance") AS DECIMAL(18, 2)) * 100 AS BIGINT) / COUNT(*)
          ) / 100 AS "balance_mean_czk",
          COUNT(*) FILTER(WHERE
            "t32"."balance" < 0) AS "balance_below_zero_count",
          CAST(CAST(CAST(SUM("t32"."amount") FILTER(WHERE
            "t32"."penalty") AS DECIMAL(18, 2)) * 100 AS BIGINT) AS DOUBLE) / 100 AS "penalty_interest_czk",
          MIN("t32"."days_before") FILTER(WHERE
            "t32"."income") AS "days_since_income",
          (
            (
              COALESCE(
                CAST(CAST(SUM("t32"."amount") FILTER(WHERE
                  "t32"."transfer") AS DECIMAL(18, 2)) * 100 AS BIGINT),
                0
              ) * 30
            ) / MAX("t32"."days_before")
          ) / 100 AS "transfers_mean_monthly_czk",
          COUNT(DISTINCT "t32"."recipient") FILTER(WHERE
            "t32"."transfer") AS "transfer_recipient_count"
        FROM (
          SELECT
            "t23"."account_id",
            "t23"."as_of_date",
            "t26"."amount",
            "t26"."balance",
            "t26"."credit",
            "t26"."income",
            "t26"."cash",
            "t26"."transfer",
            "t26"."penalty",
            "t26"."recipient",
            DATE_DIFF('DAY', "t26"."date", "t23"."as_of_date") AS "days_before"
          FROM (
            SELECT DISTINCT
              *
            FROM (
              SELECT
                "t0"."account_id",
                "t0"."date" AS "as_of_date"
              FROM "loan" AS "t0"
            ) AS "t9"
          ) AS "t23"
          INNER JOIN (
            SELECT
              "t4"."account_id",
              "t4"."date",
              "t4"."amount",
              "t4"."balance",
              "t4"."type" = 'PRIJEM' AS "credit",
              (
                "t4"."type" = 'PRIJEM'
              )
              AND NOT (
                "t4"."k_symbol" IS NOT DISTINCT FROM 'UROK'
              ) AS "income",
              "t4"."operation" = 'VYBER' AS "cash",
              "t4"."operation" = 'PREVOD NA UCET' AS "transfer",
              "t4"."k_symbol" = 'SANKC. UROK' AS "penalty",
              "t4"."account" AS "recipient"
            FROM "trans" AS "t4"
          ) AS "t26"
            ON "t23"."account_id" = "t26"."account_id" AND "t26"."date" < "t23"."as_of_date"
        ) AS "t32"
        GROUP BY
          1,
          2
      ) AS "t46"
        ON "t23"."account_id" = "t46"."account_id"
        AND "t23"."as_of_date" = "t46"."as_of_date"
      LEFT OUTER JOIN (
        SELECT
          "t49"."account_id",
          "t49"."as_of_date",
          AVG("t49"."low") FILTER(WHERE
            "t49"."month" < 3) / 100 AS "balance_low_mean_3m_czk",
          AVG("t49"."low") FILTER(WHERE
            "t49"."month" < 6) / 100 AS "balance_low_mean_6m_czk",
          SQRT(
            GREATEST(
              (
                SUM(
                  CAST(FLOOR("t49"."low" / 100) AS BIGINT) * CAST(FLOOR("t49"."low" / 100) AS BIGINT)
                ) / COUNT(*)
              ) - (
                (
                  SUM(CAST(FLOOR("t49"."low" / 100) AS BIGINT)) / COUNT(*)
                ) * (
                  SUM(CAST(FLOOR("t49"."low" / 100) AS BIGINT)) / COUNT(*)
                )
              ),
              0.0
            )
          ) AS "balance_low_std_12m_czk",
          (
            SUM("t49"."income") FILTER(WHERE
              "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
              "t49"."month" < 6), 0)
          ) / 100 AS "income_mean_6m_czk",
          SQRT(
            GREATEST(
              (
                SUM(
                  CAST(FLOOR("t49"."income" / 100) AS BIGINT) * CAST(FLOOR("t49"."income" / 100) AS BIGINT)
                ) FILTER(WHERE
                  "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
                  "t49"."month" < 6), 0)
              ) - (
                (
                  SUM(CAST(FLOOR("t49"."income" / 100) AS BIGINT)) FILTER(WHERE
                    "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
                    "t49"."month" < 6), 0)
                ) * (
                  SUM(CAST(FLOOR("t49"."income" / 100) AS BIGINT)) FILTER(WHERE
                    "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
                    "t49"."month" < 6), 0)
                )
              ),
              0.0
            )
          ) / NULLIF(
            (
              SUM("t49"."income") FILTER(WHERE
                "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
                "t49"."month" < 6), 0)
            ) / 100,
            0
          ) AS "income_variation_6m",
          COUNT(*) FILTER(WHERE
            "t49"."income" = 0) / COUNT(*) AS "income_gap_share_12m",
          (
            SUM("t49"."net") FILTER(WHERE
              "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
              "t49"."month" < 6), 0)
          ) / 100 AS "net_flow_mean_6m_czk",
          SQRT(
            GREATEST(
              (
                SUM(
                  CAST(FLOOR("t49"."net" / 100) AS BIGINT) * CAST(FLOOR("t49"."net" / 100) AS BIGINT)
                ) FILTER(WHERE
                  "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
                  "t49"."month" < 6), 0)
              ) - (
                (
                  SUM(CAST(FLOOR("t49"."net" / 100) AS BIGINT)) FILTER(WHERE
                    "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
                    "t49"."month" < 6), 0)
                ) * (
                  SUM(CAST(FLOOR("t49"."net" / 100) AS BIGINT)) FILTER(WHERE
                    "t49"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
                    "t49"."month" < 6), 0)
                )
              ),
              0.0
            )
          ) AS "net_flow_std_6m_czk",
          CAST(MIN("t49"."net") FILTER(WHERE
            "t49"."month" < 6) AS DOUBLE) / 100 AS "net_flow_min_6m_czk",
          (
            SUM("t49"."debited") FILTER(WHERE
              "t49"."month" < 6) / NULLIF(SUM("t49"."debits") FILTER(WHERE
              "t49"."month" < 6), 0)
          ) / 100 AS "debit_amount_mean_180d_czk",
          COALESCE(SUM("t49"."cash") FILTER(WHERE
            "t49"."month" < 3), 0) / NULLIF(SUM("t49"."debited") FILTER(WHERE
            "t49"."month" < 3), 0) AS "cash_share_90d"
        FROM (
          SELECT
            "t44"."account_id",
            "t44"."as_of_date",
            CAST(FLOOR((
              "t44"."days_before" - 1
            ) / (
              30
            )) AS BIGINT) AS "month",
            CAST(MIN("t44"."balance") * 100 AS BIGINT) AS "low",
            COALESCE(SUM(CAST("t44"."amount" * 100 AS BIGINT)) FILTER(WHERE
              "t44"."income"), 0) AS "income",
            SUM(
              CASE
                WHEN "t44"."credit"
                THEN CAST("t44"."amount" * 100 AS BIGINT)
                ELSE -(
                  CAST("t44"."amount" * 100 AS BIGINT)
                )
              END
            ) AS "net",
            SUM(CAST("t44"."amount" * 100 AS BIGINT)) FILTER(WHERE
              NOT (
                "t44"."credit"
              )) AS "debited",
            COUNT(*) FILTER(WHERE
              NOT (
                "t44"."credit"
              )) AS "debits",
            SUM(CAST("t44"."amount" * 100 AS BIGINT)) FILTER(WHERE
              "t44"."cash") AS "cash"
          FROM "t42" AS "t44"
          GROUP BY
            1,
            2,
            3
        ) AS "t49"
        GROUP BY
          1,
          2
      ) AS "t55"
        ON "t23"."account_id" = "t55"."account_id"
        AND "t23"."as_of_date" = "t55"."as_of_date"
      LEFT OUTER JOIN (
        SELECT
          "t44"."account_id",
          "t44"."as_of_date",
          CAST(MAX(CAST("t44"."balance" * 100 AS BIGINT)) FILTER(WHERE
            "t44"."until_day" = 0) AS DOUBLE) / 100 AS "balance_last_czk",
          (
            SUM(
              CAST("t44"."balance" * 100 AS BIGINT) * GREATEST(LEAST("t44"."days_before", 90) - "t44"."until_day", 0)
            ) / SUM(GREATEST(LEAST("t44"."days_before", 90) - "t44"."until_day", 0))
          ) / 100 AS "balance_mean_90d_czk",
          CAST(MIN(CAST("t44"."balance" * 100 AS BIGINT)) FILTER(WHERE
            GREATEST(LEAST("t44"."days_before", 90) - "t44"."until_day", 0) > 0) AS DOUBLE) / 100 AS "balance_min_90d_czk",
          COALESCE(
            SUM(GREATEST(LEAST("t44"."days_before", 90) - "t44"."until_day", 0)) FILTER(WHERE
              CAST("t44"."balance" * 100 AS BIGINT) < 1500000),
            0
          ) / SUM(GREATEST(LEAST("t44"."days_before", 90) - "t44"."until_day", 0)) AS "low_balance_share_90d",
          COALESCE(
            SUM(GREATEST(LEAST("t44"."days_before", 180) - "t44"."until_day", 0)) FILTER(WHERE
              CAST("t44"."balance" * 100 AS BIGINT) < 1500000),
            0
          ) / SUM(GREATEST(LEAST("t44"."days_before", 180) - "t44"."until_day", 0)) AS "low_balance_share_180d"
        FROM "t42" AS "t44"
        GROUP BY
          1,
          2
      ) AS "t51"
        ON "t23"."account_id" = "t51"."account_id"
        AND "t23"."as_of_date" = "t51"."as_of_date"
      LEFT OUTER JOIN (
        SELECT
          "t48"."account_id",
          "t48"."as_of_date",
          COALESCE(
            CAST(CAST(SUM("t48"."total") FILTER(WHERE
              "t48"."times" > 1) AS DECIMAL(18, 2)) * 100 AS BIGINT),
            0
          ) / CAST(CAST(SUM("t48"."total") AS DECIMAL(18, 2)) * 100 AS BIGINT) AS "income_regular_share_12m"
        FROM (
          SELECT
            "t47"."account_id",
            "t47"."as_of_date",
            "t47"."amount",
            COUNT(*) AS "times",
            SUM("t47"."amount") AS "total"
          FROM (
            SELECT
              *
            FROM "t42" AS "t44"
            WHERE
              "t44"."income"
          ) AS "t47"
          GROUP BY
            1,
            2,
            3
        ) AS "t48"
        GROUP BY
          1,
          2
      ) AS "t53"
        ON "t23"."account_id" = "t53"."account_id"
        AND "t23"."as_of_date" = "t53"."as_of_date"
    ) AS "t57"
      ON "t14"."account_id" = "t57"."account_id"
      AND "t14"."as_of_date" = "t57"."as_of_date"
  ) AS "t58"
) AS "t59"
