-- made by loan_pipeline.features.compiled 2ab1c0dbcf6264528e7e0db6f0bbaae7504f6ef041909ab1ba91fc29db8f07d0
WITH "t40" AS (
  SELECT
    "t33"."account_id",
    "t33"."as_of_date",
    "t33"."days_before",
    "t33"."amount",
    "t33"."balance",
    "t33"."credit",
    "t33"."income",
    "t33"."cash",
    COALESCE(
      LEAD("t33"."days_before") OVER (
        PARTITION BY "t33"."account_id", "t33"."as_of_date"
        ORDER BY (
          "t33"."days_before" * 2
        ) + CAST("t33"."credit" AS BIGINT) DESC, CASE WHEN "t33"."credit" THEN "t33"."balance" ELSE -(
          "t33"."balance"
        ) END ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ),
      0
    ) AS "until_day"
  FROM (
    SELECT
      "t22"."account_id",
      "t22"."as_of_date",
      "t23"."amount",
      "t23"."balance",
      "t23"."credit",
      "t23"."income",
      "t23"."cash",
      "t23"."transfer",
      "t23"."penalty",
      "t23"."recipient",
      DATE_DIFF('DAY', "t23"."date", "t22"."as_of_date") AS "days_before"
    FROM (
      SELECT
        "t12"."account_id",
        $as_of AS "as_of_date"
      FROM (
        SELECT
          *
        FROM "account" AS "t0"
        WHERE
          "t0"."date" < $as_of
      ) AS "t12"
    ) AS "t22"
    INNER JOIN (
      SELECT
        "t3"."account_id",
        "t3"."date",
        "t3"."amount",
        "t3"."balance",
        "t3"."type" = 'PRIJEM' AS "credit",
        (
          "t3"."type" = 'PRIJEM'
        )
        AND NOT (
          "t3"."k_symbol" IS NOT DISTINCT FROM 'UROK'
        ) AS "income",
        "t3"."operation" = 'VYBER' AS "cash",
        "t3"."operation" = 'PREVOD NA UCET' AS "transfer",
        "t3"."k_symbol" = 'SANKC. UROK' AS "penalty",
        "t3"."account" AS "recipient"
      FROM "trans" AS "t3"
    ) AS "t23"
      ON "t22"."account_id" = "t23"."account_id"
      AND "t23"."date" < "t22"."as_of_date"
      AND "t23"."date" >= CAST(CAST("t22"."as_of_date" AS TIMESTAMP) - INTERVAL '360' DAY AS DATE)
  ) AS "t33"
)
SELECT
  "t22"."account_id",
  "t22"."as_of_date",
  DATE_DIFF('DAY', "t11"."opened_on", "t22"."as_of_date") AS "account_age_days",
  "t11"."statement_frequency",
  "t28"."order_amount_mean_czk",
  "t43"."transaction_amount_mean_czk",
  "t43"."balance_mean_czk",
  COALESCE("t43"."transaction_count", 0) AS "transaction_count",
  COALESCE("t39"."card_type", 'none') AS "card_type",
  "t37"."district_salary_mean_czk",
  "t37"."gender",
  CAST(DATE_DIFF('DAY', "t37"."birth_date", "t22"."as_of_date") AS DOUBLE) / 365.25 AS "age_years",
  "t48"."balance_last_czk",
  "t48"."balance_mean_90d_czk",
  "t48"."balance_min_90d_czk",
  "t52"."balance_low_mean_3m_czk",
  "t52"."balance_low_mean_6m_czk",
  "t52"."balance_low_std_12m_czk",
  "t48"."low_balance_share_90d",
  "t48"."low_balance_share_180d",
  COALESCE("t43"."balance_below_zero_count", 0) AS "balance_below_zero_count",
  COALESCE("t43"."penalty_interest_czk", 0) AS "penalty_interest_czk",
  "t52"."income_mean_6m_czk",
  "t52"."income_variation_6m",
  "t50"."income_regular_share_12m",
  "t52"."income_gap_share_12m",
  "t43"."days_since_income",
  "t52"."net_flow_mean_6m_czk",
  "t52"."net_flow_std_6m_czk",
  "t52"."net_flow_min_6m_czk",
  "t52"."debit_amount_mean_180d_czk",
  "t52"."cash_share_90d",
  "t43"."transfers_mean_monthly_czk",
  COALESCE("t43"."transfer_recipient_count", 0) AS "transfer_recipient_count",
  "t37"."client_count"
FROM (
  SELECT
    "t12"."account_id",
    $as_of AS "as_of_date"
  FROM (
    SELECT
      *
    FROM "account" AS "t0"
    WHERE
      "t0"."date" < $as_of
  ) AS "t12"
) AS "t22"
LEFT OUTER JOIN (
  SELECT
    "t0"."account_id",
    "t0"."frequency" AS "statement_frequency",
    "t0"."date" AS "opened_on"
  FROM "account" AS "t0"
) AS "t11"
  ON "t22"."account_id" = "t11"."account_id"
LEFT OUTER JOIN (
  SELECT
    "t34"."account_id",
    "t34"."client_count",
    "t34"."gender",
    "t34"."birth_date",
    "t34"."district_salary_mean_czk"
  FROM (
    SELECT
      "t31"."account_id",
      "t31"."client_id",
      "t31"."client_count",
      "t31"."district_id",
      "t31"."gender",
      "t31"."birth_date",
      "t17"."district_id" AS "district_id_right",
      "t17"."district_salary_mean_czk"
    FROM (
      SELECT
        "t27".*
        EXCLUDE ("client_id_right")
      FROM (
        SELECT
          "t21"."account_id",
          "t21"."client_id",
          "t21"."client_count",
          "t16"."client_id" AS "client_id_right",
          "t16"."district_id",
          "t16"."gender",
          "t16"."birth_date"
        FROM (
          SELECT
            "t4"."account_id",
            MIN("t4"."client_id") FILTER(WHERE
              "t4"."type" = 'OWNER') AS "client_id",
            COUNT(DISTINCT "t4"."client_id") AS "client_count"
          FROM "disp" AS "t4"
          GROUP BY
            1
        ) AS "t21"
        LEFT OUTER JOIN (
          SELECT
            "t6"."client_id",
            "t6"."district_id",
            "t6"."gender",
            "t6"."birth_date"
          FROM "client" AS "t6"
        ) AS "t16"
          ON "t21"."client_id" = "t16"."client_id"
      ) AS "t27"
    ) AS "t31"
    LEFT OUTER JOIN (
      SELECT
        "t2"."district_id",
        CAST("t2"."A11" AS DOUBLE) AS "district_salary_mean_czk"
      FROM "district" AS "t2"
    ) AS "t17"
      ON "t31"."district_id" = "t17"."district_id"
  ) AS "t34"
) AS "t37"
  ON "t22"."account_id" = "t37"."account_id"
LEFT OUTER JOIN (
  SELECT
    "t13"."account_id",
    AVG(CAST("t13"."amount" * 100 AS BIGINT)) / 100 AS "order_amount_mean_czk"
  FROM (
    SELECT
      *
    FROM "order" AS "t1"
    WHERE
      "t1"."k_symbol" <> 'UVER'
  ) AS "t13"
  GROUP BY
    1
) AS "t28"
  ON "t22"."account_id" = "t28"."account_id"
LEFT OUTER JOIN (
  SELECT
    "t35"."account_id",
    "t35"."as_of_date",
    CASE "t35"."level"
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
      "t32"."account_id",
      "t32"."as_of_date",
      MAX("t32"."level") AS "level"
    FROM (
      SELECT
        "t22"."account_id",
        "t22"."as_of_date",
        "t25"."account_id" AS "account_id_right",
        "t25"."issued",
        "t25"."level"
      FROM (
        SELECT
          "t12"."account_id",
          $as_of AS "as_of_date"
        FROM (
          SELECT
            *
          FROM "account" AS "t0"
          WHERE
            "t0"."date" < $as_of
        ) AS "t12"
      ) AS "t22"
      INNER JOIN (
        SELECT
          "t15"."account_id",
          "t7"."issued",
          CASE "t7"."type"
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
        FROM "card" AS "t7"
        INNER JOIN (
          SELECT
            "t4"."disp_id",
            "t4"."account_id"
          FROM "disp" AS "t4"
        ) AS "t15"
          ON "t7"."disp_id" = "t15"."disp_id"
      ) AS "t25"
        ON "t22"."account_id" = "t25"."account_id" AND "t25"."issued" < "t22"."as_of_date"
    ) AS "t32"
    GROUP BY
      1,
      2
  ) AS "t35"
) AS "t39"
  ON "t22"."account_id" = "t39"."account_id"
  AND "t22"."as_of_date" = "t39"."as_of_date"
LEFT OUTER JOIN (
  SELECT
    "t29"."account_id",
    "t29"."as_of_date",
    COUNT(*) AS "transaction_count",
    (
      CAST(CAST(SUM("t29"."amount") AS DECIMAL(18, 2)) * 100 AS BIGINT) / COUNT(*)
    ) / 100 AS "transaction_amount_mean_czk",
    (
      CAST(CAST(SUM("t29"."balance") AS DECIMAL(18, 2)) * 100 AS BIGINT) / COUNT(*)
    ) / 100 AS "balance_mean_czk",
    COUNT(*) FILTER(WHERE
      "t29"."balance" < 0) AS "balance_below_zero_count",
    CAST(CAST(CAST(SUM("t29"."amount") FILTER(WHERE
      "t29"."penalty") AS DECIMAL(18, 2)) * 100 AS BIGINT) AS DOUBLE) / 100 AS "penalty_interest_czk",
    MIN("t29"."days_before") FILTER(WHERE
      "t29"."income") AS "days_since_income",
    (
      (
        COALESCE(
          CAST(CAST(SUM("t29"."amount") FILTER(WHERE
            "t29"."transfer") AS DECIMAL(18, 2)) * 100 AS BIGINT),
          0
        ) * 30
      ) / MAX("t29"."days_before")
    ) / 100 AS "transfers_mean_monthly_czk",
    COUNT(DISTINCT "t29"."recipient") FILTER(WHERE
      "t29"."transfer") AS "transfer_recipient_count"
  FROM (
    SELECT
      "t22"."account_id",
      "t22"."as_of_date",
      "t23"."amount",
      "t23"."balance",
      "t23"."credit",
      "t23"."income",
      "t23"."cash",
      "t23"."transfer",
      "t23"."penalty",
      "t23"."recipient",
      DATE_DIFF('DAY', "t23"."date", "t22"."as_of_date") AS "days_before"
    FROM (
      SELECT
        "t12"."account_id",
        $as_of AS "as_of_date"
      FROM (
        SELECT
          *
        FROM "account" AS "t0"
        WHERE
          "t0"."date" < $as_of
      ) AS "t12"
    ) AS "t22"
    INNER JOIN (
      SELECT
        "t3"."account_id",
        "t3"."date",
        "t3"."amount",
        "t3"."balance",
        "t3"."type" = 'PRIJEM' AS "credit",
        (
          "t3"."type" = 'PRIJEM'
        )
        AND NOT (
          "t3"."k_symbol" IS NOT DISTINCT FROM 'UROK'
        ) AS "income",
        "t3"."operation" = 'VYBER' AS "cash",
        "t3"."operation" = 'PREVOD NA UCET' AS "transfer",
        "t3"."k_symbol" = 'SANKC. UROK' AS "penalty",
        "t3"."account" AS "recipient"
      FROM "trans" AS "t3"
    ) AS "t23"
      ON "t22"."account_id" = "t23"."account_id" AND "t23"."date" < "t22"."as_of_date"
  ) AS "t29"
  GROUP BY
    1,
    2
) AS "t43"
  ON "t22"."account_id" = "t43"."account_id"
  AND "t22"."as_of_date" = "t43"."as_of_date"
LEFT OUTER JOIN (
  SELECT
    "t46"."account_id",
    "t46"."as_of_date",
    AVG("t46"."low") FILTER(WHERE
      "t46"."month" < 3) / 100 AS "balance_low_mean_3m_czk",
    AVG("t46"."low") FILTER(WHERE
      "t46"."month" < 6) / 100 AS "balance_low_mean_6m_czk",
    SQRT(
      GREATEST(
        (
          SUM(
            CAST(FLOOR("t46"."low" / 100) AS BIGINT) * CAST(FLOOR("t46"."low" / 100) AS BIGINT)
          ) / COUNT(*)
        ) - (
          (
            SUM(CAST(FLOOR("t46"."low" / 100) AS BIGINT)) / COUNT(*)
          ) * (
            SUM(CAST(FLOOR("t46"."low" / 100) AS BIGINT)) / COUNT(*)
          )
        ),
        0.0
      )
    ) AS "balance_low_std_12m_czk",
    (
      SUM("t46"."income") FILTER(WHERE
        "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
        "t46"."month" < 6), 0)
    ) / 100 AS "income_mean_6m_czk",
    SQRT(
      GREATEST(
        (
          SUM(
            CAST(FLOOR("t46"."income" / 100) AS BIGINT) * CAST(FLOOR("t46"."income" / 100) AS BIGINT)
          ) FILTER(WHERE
            "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
            "t46"."month" < 6), 0)
        ) - (
          (
            SUM(CAST(FLOOR("t46"."income" / 100) AS BIGINT)) FILTER(WHERE
              "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
              "t46"."month" < 6), 0)
          ) * (
            SUM(CAST(FLOOR("t46"."income" / 100) AS BIGINT)) FILTER(WHERE
              "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
              "t46"."month" < 6), 0)
          )
        ),
        0.0
      )
    ) / NULLIF(
      (
        SUM("t46"."income") FILTER(WHERE
          "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
          "t46"."month" < 6), 0)
      ) / 100,
      0
    ) AS "income_variation_6m",
    COUNT(*) FILTER(WHERE
      "t46"."income" = 0) / COUNT(*) AS "income_gap_share_12m",
    (
      SUM("t46"."net") FILTER(WHERE
        "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
        "t46"."month" < 6), 0)
    ) / 100 AS "net_flow_mean_6m_czk",
    SQRT(
      GREATEST(
        (
          SUM(
            CAST(FLOOR("t46"."net" / 100) AS BIGINT) * CAST(FLOOR("t46"."net" / 100) AS BIGINT)
          ) FILTER(WHERE
            "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
            "t46"."month" < 6), 0)
        ) - (
          (
            SUM(CAST(FLOOR("t46"."net" / 100) AS BIGINT)) FILTER(WHERE
              "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
              "t46"."month" < 6), 0)
          ) * (
            SUM(CAST(FLOOR("t46"."net" / 100) AS BIGINT)) FILTER(WHERE
              "t46"."month" < 6) / NULLIF(COUNT(*) FILTER(WHERE
              "t46"."month" < 6), 0)
          )
        ),
        0.0
      )
    ) AS "net_flow_std_6m_czk",
    CAST(MIN("t46"."net") FILTER(WHERE
      "t46"."month" < 6) AS DOUBLE) / 100 AS "net_flow_min_6m_czk",
    (
      SUM("t46"."debited") FILTER(WHERE
        "t46"."month" < 6) / NULLIF(SUM("t46"."debits") FILTER(WHERE
        "t46"."month" < 6), 0)
    ) / 100 AS "debit_amount_mean_180d_czk",
    COALESCE(SUM("t46"."cash") FILTER(WHERE
      "t46"."month" < 3), 0) / NULLIF(SUM("t46"."debited") FILTER(WHERE
      "t46"."month" < 3), 0) AS "cash_share_90d"
  FROM (
    SELECT
      "t42"."account_id",
      "t42"."as_of_date",
      CAST(FLOOR((
        "t42"."days_before" - 1
      ) / (
        30
      )) AS BIGINT) AS "month",
      CAST(MIN("t42"."balance") * 100 AS BIGINT) AS "low",
      COALESCE(SUM(CAST("t42"."amount" * 100 AS BIGINT)) FILTER(WHERE
        "t42"."income"), 0) AS "income",
      SUM(
        CASE
          WHEN "t42"."credit"
          THEN CAST("t42"."amount" * 100 AS BIGINT)
          ELSE -(
            CAST("t42"."amount" * 100 AS BIGINT)
          )
        END
      ) AS "net",
      SUM(CAST("t42"."amount" * 100 AS BIGINT)) FILTER(WHERE
        NOT (
          "t42"."credit"
        )) AS "debited",
      COUNT(*) FILTER(WHERE
        NOT (
          "t42"."credit"
        )) AS "debits",
      SUM(CAST("t42"."amount" * 100 AS BIGINT)) FILTER(WHERE
        "t42"."cash") AS "cash"
    FROM "t40" AS "t42"
    GROUP BY
      1,
      2,
      3
  ) AS "t46"
  GROUP BY
    1,
    2
) AS "t52"
  ON "t22"."account_id" = "t52"."account_id"
  AND "t22"."as_of_date" = "t52"."as_of_date"
LEFT OUTER JOIN (
  SELECT
    "t42"."account_id",
    "t42"."as_of_date",
    CAST(MAX(CAST("t42"."balance" * 100 AS BIGINT)) FILTER(WHERE
      "t42"."until_day" = 0) AS DOUBLE) / 100 AS "balance_last_czk",
    (
      SUM(
        CAST("t42"."balance" * 100 AS BIGINT) * GREATEST(LEAST("t42"."days_before", 90) - "t42"."until_day", 0)
      ) / SUM(GREATEST(LEAST("t42"."days_before", 90) - "t42"."until_day", 0))
    ) / 100 AS "balance_mean_90d_czk",
    CAST(MIN(CAST("t42"."balance" * 100 AS BIGINT)) FILTER(WHERE
      GREATEST(LEAST("t42"."days_before", 90) - "t42"."until_day", 0) > 0) AS DOUBLE) / 100 AS "balance_min_90d_czk",
    COALESCE(
      SUM(GREATEST(LEAST("t42"."days_before", 90) - "t42"."until_day", 0)) FILTER(WHERE
        CAST("t42"."balance" * 100 AS BIGINT) < 1500000),
      0
    ) / SUM(GREATEST(LEAST("t42"."days_before", 90) - "t42"."until_day", 0)) AS "low_balance_share_90d",
    COALESCE(
      SUM(GREATEST(LEAST("t42"."days_before", 180) - "t42"."until_day", 0)) FILTER(WHERE
        CAST("t42"."balance" * 100 AS BIGINT) < 1500000),
      0
    ) / SUM(GREATEST(LEAST("t42"."days_before", 180) - "t42"."until_day", 0)) AS "low_balance_share_180d"
  FROM "t40" AS "t42"
  GROUP BY
    1,
    2
) AS "t48"
  ON "t22"."account_id" = "t48"."account_id"
  AND "t22"."as_of_date" = "t48"."as_of_date"
LEFT OUTER JOIN (
  SELECT
    "t45"."account_id",
    "t45"."as_of_date",
    COALESCE(
      CAST(CAST(SUM("t45"."total") FILTER(WHERE
        "t45"."times" > 1) AS DECIMAL(18, 2)) * 100 AS BIGINT),
      0
    ) / CAST(CAST(SUM("t45"."total") AS DECIMAL(18, 2)) * 100 AS BIGINT) AS "income_regular_share_12m"
  FROM (
    SELECT
      "t44"."account_id",
      "t44"."as_of_date",
      "t44"."amount",
      COUNT(*) AS "times",
      SUM("t44"."amount") AS "total"
    FROM (
      SELECT
        *
      FROM "t40" AS "t42"
      WHERE
        "t42"."income"
    ) AS "t44"
    GROUP BY
      1,
      2,
      3
  ) AS "t45"
  GROUP BY
    1,
    2
) AS "t50"
  ON "t22"."account_id" = "t50"."account_id"
  AND "t22"."as_of_date" = "t50"."as_of_date"
